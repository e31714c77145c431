from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("governance", "0053_controls_of_a_plan")]

    operations = [
        migrations.AddField(model_name="claimeditem", name="came_on", field=models.DateField(null=True)),
    ]
