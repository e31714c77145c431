"""Stays of cases at their stages, also those of before: each step of a case stands in the ledger with its moment."""

import django.db.models.deletion
from django.db import migrations, models
from django.utils import timezone

STATUSES = [
    ("received", "Received"), ("proof", "Proof"), ("review", "Review"), ("information", "Waiting for information"),
    ("matching", "Matching"), ("decision", "Decision"), ("planning", "Planning"), ("unlearning", "Unlearning"),
    ("verification", "Verification"), ("release", "Release"), ("reporting", "Reporting"),
    ("notification", "Notification"), ("closed", "Closed"),
]
BATCH = 2000


def backfill(apps, _schema):
    """The steps of each case in their order: a stay lasts from one to the next, the first from the case's beginning."""
    opening, stay = apps.get_model("governance", "LedgerOpening"), apps.get_model("governance", "StageStay")
    began = dict(apps.get_model("governance", "Case").objects.values_list("pk", "created_at"))
    rows = opening.objects.filter(entry__action="case.advanced", case__isnull=False).order_by("entry_id")
    made = []
    for case, body, at in rows.values_list("case_id", "body", "entry__at").iterator(chunk_size=BATCH):
        entered = min(began[case], at)
        hours = int((at - entered).total_seconds() // 3600)
        made.append(
            stay(case_id=case, stage=body["from"], entered_at=entered, left_on=timezone.localdate(at), hours=hours)
        )
        began[case] = at
        if len(made) == BATCH:
            stay.objects.bulk_create(made)
            made = []
    stay.objects.bulk_create(made)


class Migration(migrations.Migration):
    dependencies = [("governance", "0042_daily_work")]

    operations = [
        migrations.CreateModel(
            name="StageStay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stage", models.CharField(choices=STATUSES, max_length=16)),
                ("entered_at", models.DateTimeField()),
                ("left_on", models.DateField()),
                ("hours", models.PositiveIntegerField()),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="stays", to="governance.case"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["left_on", "stage", "hours"], name="stay_by_day"),
                    models.Index(fields=["stage", "-hours", "-id", "left_on", "case"], name="stay_longest"),
                ],
            },
        ),
        migrations.RunPython(backfill, migrations.RunPython.noop),
    ]
