from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import governance.models.vault
from governance.errors import KeyDestroyed
from governance.models import triggers
from governance.models.vault import keys_held

#: The column that the reasons stood in, until migration 0074 drops it.
IN_THE_CLEAR = "words"


def seal(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Reasons that stood in the clear, under the key of the hit's person; of who was erased they are gone."""
    # What was signed is never changed: the guards are back once every migration is done.
    triggers.drop(schema_editor.connection)
    decision = apps.get_model("governance", "Decision")
    field = decision._meta.get_field("reason")
    rows = decision.objects.exclude(**{IN_THE_CLEAR: ""}).order_by("match__case_id", "id")
    with keys_held():
        for pk, subject, words in rows.values_list("pk", "match__subject", IN_THE_CLEAR).iterator():
            try:
                decision.objects.filter(pk=pk).update(reason=field.seal_for(subject, words))
            except KeyDestroyed:
                continue


class Migration(migrations.Migration):
    dependencies = [("governance", "0064_feed_pages")]

    operations = [
        migrations.RenameField("decision", "reason", IN_THE_CLEAR),
        migrations.AddField("decision", "reason", governance.models.vault.SealedText(default=b"")),
        migrations.RunPython(seal, migrations.RunPython.noop),
    ]
