"""Reasons of refused files become codes of `file_words`; a sentence that is none of them stays as it is."""

import re

from django.db import migrations

#: As the sentences were, and the codes that they are now.
SENTENCES = (
    (r"The file is empty: 0 bytes\. Choose it again\.", "empty"),
    (r"The file is larger than \d+ MB\. Name its address instead\.", "too_large"),
    (r"This is a file of the kind “(.*)”, which is not taken here\.", "foreign"),
    (r"This is a file of an unknown kind, which is not taken here\.", "unknown"),
    (r"The picture has more than \d+ million pixels\. Send a smaller copy\.", "pixels"),
    (r"The picture is damaged: it cannot be read\.", "damaged_picture"),
    (r"The picture moves through more than \d+ frames\.", "frames"),
    (r"The archive holds more than \d+ files\.", "members"),
    (r"The archive is locked with a password, so nobody can look into it\.", "locked"),
    (r"The archive holds another archive\. Unpack it first\.", "nested"),
    (r"The archive unpacks to far more than it is\. Send its files one by one\.", "unpacks"),
    (r"The archive is damaged, or packed in a way that cannot be read\.", "damaged_archive"),
    (r"The scanner does not answer; the file waits and is scanned later\.", "unreachable"),
    (r"The scanner found (.*)\.", "found"),
)


def code_of(sentence):
    """The code of a sentence, with what it carries; the sentence itself where there is none."""
    for pattern, code in SENTENCES:
        if found := re.fullmatch(pattern, sentence):
            return ":".join([code, *found.groups()])
    return sentence


def forwards(apps, schema_editor):
    """Every reason that was kept."""
    uploads = apps.get_model("governance", "Upload").objects.using(schema_editor.connection.alias)
    for why in list(uploads.exclude(why="").order_by().values_list("why", flat=True).distinct()):
        uploads.filter(why=why).update(why=code_of(why))


class Migration(migrations.Migration):

    dependencies = [
        ('governance', '0038_answers'),
    ]

    operations = [
        migrations.RunPython(forwards, migrations.RunPython.noop),
    ]
