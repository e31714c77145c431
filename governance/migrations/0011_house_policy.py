"""The company's policy has a shorter code; every case gets the clock of its law; what was asked and told stays."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import migrations

#: Versions of the rules that were in force on receipt, and where each law counts, when this was written.
RULES = {
    "gdpr": (4, "EU", ""),
    "uk_gdpr": (2, "GB", ""),
    "ccpa": (2, "US", "CA"),
    "us_va": (1, "US", "VA"),
    "us_co": (1, "US", "CO"),
    "lgpd": (1, "BR", ""),
    "quebec": (1, "CA", "QC"),
    "gpai": (1, "EU", ""),
    "house": (1, "EU", ""),
}


def rename(apps, schema_editor):
    if schema_editor.connection.alias == "default":
        apps.get_model("governance", "Case").objects.filter(law="copyright_policy").update(law="house")


def name_back(apps, schema_editor):
    if schema_editor.connection.alias == "default":
        apps.get_model("governance", "Case").objects.filter(law="house").update(law="copyright_policy")


def open_clocks(apps, schema_editor):
    """One clock per case, with the dates that the case had; nothing is worked out anew."""
    if schema_editor.connection.alias != "default":
        return
    Clock = apps.get_model("governance", "CaseClock")
    zone = ZoneInfo(settings.TIME_ZONE)
    rows = []
    for case in apps.get_model("governance", "Case").objects.filter(clocks=None).iterator(chunk_size=1000):
        version, country, subdivision = RULES.get(case.law, (1, "EU", ""))
        clock = Clock(
            case=case, law=case.law, version=version, country=country, subdivision=subdivision,
            zone=settings.TIME_ZONE, received_at=datetime.combine(case.received_on, time(), tzinfo=zone),
            due=case.due_on, because="Entered before the clocks were kept one by one.",
        )  # fmt: skip
        rows.append((clock, case))
        if len(rows) == 1000:
            _store(apps, rows)
            rows = []
    _store(apps, rows)


def _store(apps, rows):
    """The clocks, and what the cases knew of pauses and extensions."""
    apps.get_model("governance", "CaseClock").objects.bulk_create(clock for clock, _case in rows)
    zone = ZoneInfo(settings.TIME_ZONE)
    pauses, extensions = [], []
    for clock, case in rows:
        told = {"clock": clock, "subject": case.claimant.subject}
        start = datetime.combine(case.received_on, time(), tzinfo=zone)
        if case.paused_days:
            end = start + timedelta(days=case.paused_days)
            pauses.append({**told, "cause": "identity", "first_at": start, "last_at": end})
        if case.paused_on:
            since = datetime.combine(case.paused_on, time(), tzinfo=zone)
            pauses.append({**told, "cause": "identity", "first_at": max(since, start), "last_at": None})
        if case.extended_on:
            extensions.append({**told, "notice_at": datetime.combine(case.extended_on, time(), tzinfo=zone)})
    for name, found in (("ClockPause", pauses), ("ClockExtension", extensions)):
        model = apps.get_model("governance", name)
        model.objects.bulk_create(model(**one) for one in found)


class Migration(migrations.Migration):
    dependencies = [("governance", "0010_clocks")]

    operations = [
        migrations.RunPython(rename, name_back),
        migrations.RunPython(open_clocks, migrations.RunPython.noop),
    ]
