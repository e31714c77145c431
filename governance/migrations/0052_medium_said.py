from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def unsaid(apps: Apps, schema: BaseDatabaseSchemaEditor) -> None:
    """Models of which nobody said what they work with were entered as working with texts (`0047_media`).

    Who said it and who did not can no longer be told apart, and what everybody is told must have been said by somebody.
    """
    models_ = apps.get_model("governance", "AiModel").objects.using(schema.connection.alias)
    models_.filter(medium="text").update(medium="unknown")


class Migration(migrations.Migration):
    dependencies = [("governance", "0051_entered_works")]

    operations = [
        migrations.AlterField(
            model_name="aimodel",
            name="medium",
            field=models.CharField(
                choices=[
                    ("unknown", "Not said yet"),
                    ("text", "Texts"),
                    ("pictures", "Pictures"),
                    ("sound", "Music and speech"),
                    ("film", "Film"),
                    ("tables", "Tables"),
                ],
                default="unknown",
                max_length=8,
            ),
        ),
        migrations.RunPython(unsaid, migrations.RunPython.noop),
    ]
