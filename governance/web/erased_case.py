"""What a case shows once its person's data was destroyed."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from governance.models import Case, Report
from governance.policies import Actor, Permission, may
from governance.selectors import cases as select
from governance.web import case_history


def context(case: Case, gone: str, actor: Actor) -> dict[str, Any]:
    """Numbers, dates and codes; the history without what was sealed."""
    report = Report.objects.filter(case=case).first()
    facts: list[Any] = [
        (_("Kind"), case.get_kind_display()),
        (_("Received"), date_format(case.received_on, "j F Y")),
        (_("Closed"), date_format(case.closed_at, "j F Y") if case.closed_at else _("open")),
        (_("Outcome"), case.get_disposition_display()),
    ]
    if report:
        facts += [
            (_("Report"), _("%(number)s: cannot be rendered again; whoever holds it can check it") % {
                "number": report.number}),
            {"label": _("Digest of the PDF"), "value": report.pdf, "digest": True},
        ]  # fmt: skip
    return {
        "crumbs": [{"label": _("Cases"), "url": reverse("cases")}, {"label": case.number}],
        "number": case.number,
        "gone": gone,
        "facts": facts,
        "history": case_history.timeline(select.history(case), linked=may(actor, Permission.SEE_LEDGER)),
        "ledger_url": case_history.ledger_url(case, actor),
    }
