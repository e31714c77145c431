"""Calendars that staff take along, and what the page of today looks for: proofs that wait, receipts to be confirmed."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("governance", "0041_patch_withdrawals_and_subscribers")]

    operations = [
        migrations.CreateModel(
            name="CalendarFeed",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("desk", models.BooleanField(default=False)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("asked_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="calendar_feed",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="caseclock",
            index=models.Index(
                condition=models.Q(("confirm_by__isnull", False), ("ended_at", None)),
                fields=["confirm_by"],
                name="clock_confirm",
            ),
        ),
        migrations.AddIndex(
            model_name="challenge",
            index=models.Index(condition=models.Q(("state", "waiting")), fields=["id"], name="challenge_waiting"),
        ),
    ]
