from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("governance", "0073_sealed_reasons")]

    operations = [migrations.RemoveField("decision", "words")]
