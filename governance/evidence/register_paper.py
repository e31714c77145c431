"""The register of processing activities (GDPR Art. 30) as a sealed paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from governance.evidence import said
from governance.evidence.numerals import number
from governance.evidence.printing import common, day


def context(document: Mapping[str, Any], evidence_digest: str) -> dict[str, Any]:
    """What `report/register.html` prints."""
    content = document["content"]
    lacking = [
        label
        for label, value in (
            (_("contact of the controller"), content["controller"]["contact"]),
            (_("data protection officer"), content["controller"]["officer"]),
        )
        if not value.strip()
    ]
    return {
        **common(document, evidence_digest),
        "register": content,
        "as_of": day(content["as_of"]),
        "lacking": ", ".join(lacking),
        "activities": [{"name": said.printed(one["activity"]), "rows": _rows(one)} for one in content["activities"]],
        "retention": [
            {**one, "months": number(int(one["months"])), "ends": said.printed(one["ends"])}
            for one in content["retention"]
        ],
        "security": list(map(said.printed, content["security"])),
    }


def _rows(one: Mapping[str, str]) -> list[tuple[str, str]]:
    labels = (
        ("purpose", _("Purpose")), ("basis", _("Legal basis")), ("subjects", _("Whose data")),
        ("data", _("Which data")), ("recipients", _("Recipients")), ("transfers", _("Transfers to third countries")),
        ("retention", _("Time limits for erasure")), ("count", _("Extent")),
    )  # fmt: skip
    return [(label, said.printed(one[name].strip()) or _("not stated")) for name, label in labels]
