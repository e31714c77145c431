"""Letters of before enter the outbox; apart from the tables' own migration, since PostgreSQL alters no table with rows pending."""

from django.db import migrations


def messages_of_old_letters(apps, schema_editor):
    """Letters of before enter the outbox: sent ones as sent, unsent ones as waiting."""
    if schema_editor.connection.alias != "default":
        return
    Letter, Message = apps.get_model("governance", "Letter"), apps.get_model("governance", "Message")
    Message.objects.bulk_create(
        [
            Message(
                channel="email", letter=letter, case_id=letter.case_id, created_at=letter.created_at,
                sent_at=letter.sent_at, state="sent" if letter.sent_at else "queued", attempts=1 if letter.sent_at else 0,
            )
            for letter in Letter.objects.defer("title", "body").iterator()
        ],
        batch_size=1000,
    )


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0011_house_policy'),
    ]

    operations = [
        migrations.RunPython(messages_of_old_letters, migrations.RunPython.noop),
    ]
