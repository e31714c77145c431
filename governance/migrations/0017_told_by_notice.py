"""When a recipient was told stands in the notices (0016), case by case."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("governance", "0016_recipients")]

    operations = [migrations.RemoveField(model_name="recipient", name="told_at")]
