"""The signed papers of a case on its page: report, certificate, closing letter and copies, from order to seal."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from governance.models import Case, Job, Paper, Report
from governance.notifications.languages import SOURCE
from governance.policies import Actor, Permission, may, may_read
from governance.selectors import papers as select
from governance.web import case_history, job_failures
from governance.web.case_panel import address, when
from governance.web.guards import roles_with
from governance.web.job_view import STATES
from governance.web.report_copies import certificate_facts

P = Permission
Context = dict[str, Any]


def tab(case: Case, actor: Actor) -> Context:
    """What the report says, and where each paper of the case stands."""
    report = Report.objects.filter(case=case).first()
    rows = [_row(case, report, job, actor) for job in select.orders(actor, case)]
    context: Context = {
        "tab_template": "casework/_tab_plain.html",
        "tab_title": _("Report"),
        "tab_columns": [_("Paper"), _("Number"), _("State"), _("Ordered")],
        "tab_rows": rows,
        "tab_empty": _("No report yet: it is written when the case is decided and, where a model changed, released."),
        "tab_forms": _forms(case, actor),
    }
    if report is None:
        return context
    return {**context, "tab_title": _("Report %(number)s") % {"number": report.number},
            "tab_facts": _facts(case, report, actor), "tab_empty": ""}  # fmt: skip


def _facts(case: Case, report: Report, actor: Actor) -> list[Any]:
    facts: list[Any] = [
        (_("Says"), report.headline_in(SOURCE)),
        (_("Signed"), when(report.created_at)),
        {"label": _("PDF"), "value": report.pdf, "digest": True},
        {"label": _("Evidence"), "value": report.evidence, "digest": True},
    ]
    if not may(actor, P.SEE_REPORTS):
        return facts
    links = [(_("Download"), _("Signed PDF"), "report"), (_("Proof"), _("Step by step"), "report_proof"),
             (_("Download"), _("Evidence, JSON"), "report_evidence")]  # fmt: skip
    if report.proofs:
        links.append((_("Download"), _("Bundle to check offline, ZIP"), "report_bundle"))
    facts += [
        {"label": label, "value": text, "url": reverse(name, args=[report.number])} for label, text, name in links
    ]
    return facts + certificate_facts(case, actor)


def _forms(case: Case, actor: Actor) -> list[Context]:
    """The closing letter names the claimant: it is opened as their name is, and the ledger holds who did."""
    if not may(actor, P.REVEAL_PERSON) or not case.papers.filter(kind=Paper.Kind.LETTER).exists():
        return []
    note = _("It names the claimant. Who opened it stands in the ledger.")
    return [{"action": address(case, "letter_pdf"), "submit": _("Open the closing letter (PDF)"), "note": note}]


def _row(case: Case, report: Report | None, job: Job, actor: Actor) -> list[Any]:
    """One paper by the job that makes it."""
    made: Report | Paper | None = report if job.kind == "report" else getattr(job, "paper", None)
    kind = _("Report") if job.kind == "report" else str(Paper.Kind(job.key.split(":")[1]).label)
    number: Context = {"text": made.number if made else "", "mono": True}
    own = isinstance(made, Paper) and made.kind == Paper.Kind.CERTIFICATE and not may_read(case, actor)
    if isinstance(made, Paper) and made.kind != Paper.Kind.LETTER and may(actor, P.SEE_REPORTS) and not own:
        number["url"] = reverse("report_copy", args=[made.number])
    elif isinstance(made, Report) and may(actor, P.SEE_REPORTS):
        number["url"] = reverse("report", args=[made.number])
    ordered: Context = {"text": when(job.created_at), "note": _ordered_by(case, job)}
    if may(actor, P.SEE_JOBS):
        ordered["url"] = reverse("job", args=[job.pk])
    return [kind, number, _state(job, made), ordered]


def _state(job: Job, made: Report | Paper | None) -> Context:
    """Signed, being drawn, waiting (for time, seal or witness, as the machine said) or stopped, and what then."""
    said = job_failures.said(job)
    if made and job.state == Job.State.SUCCEEDED:
        return {"state": "pass", "text": _("signed"), "note": when(made.created_at)}
    if job.state in (Job.State.FAILED, Job.State.CANCELLED):
        then = _("It is run again by: %(roles)s.") % {"roles": ", ".join(roles_with(P.CANCEL_JOB))}
        return {"state": STATES[job.state], "text": job.get_state_display(), "note": f"{said} {then}".strip()}
    if made:  # a report is sealed before its entry is proven, which may wait for witnesses
        return {"state": "waiting", "text": _("signed; its proof is to come"), "note": said}
    if job.state == Job.State.RUNNING:
        return {"state": "running", "text": _("being drawn and signed"), "note": said}
    return {"state": "waiting", "text": _("waits") if said else _("ordered"), "note": said}


def _ordered_by(case: Case, job: Job) -> str:
    """Whose step ordered it; certificate and letter are ordered as the case closes."""
    opening = select.order_entry(case, job)
    return case_history.actor_words(opening) if opening else _("by the machine, as the case closed")
