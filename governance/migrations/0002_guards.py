"""The database's guards had their beginning here; `models.triggers` now puts them in place after every migration."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("governance", "0001_initial")]

    operations = []
