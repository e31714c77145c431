from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("governance", "0056_keys_that_were_replaced")]

    operations = [
        migrations.AddField(model_name="tallystate", name="recounting_until", field=models.DateTimeField(null=True)),
    ]
