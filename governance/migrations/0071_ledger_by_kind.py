from django.db import migrations, models

from governance.models.ledger import ActionKind


class Migration(migrations.Migration):
    dependencies = [("governance", "0063_files_without_a_row")]

    operations = [
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(ActionKind("action"), models.F("index").desc(), name="entry_kind"),
        ),
    ]
