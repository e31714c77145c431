"""Retention of the cases' own personal data, the register of processing, and the export of a whole case."""

from __future__ import annotations

import json
import uuid
from typing import Any, cast

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.models import Case, Erasure
from governance.policies import Actor, Permission, may
from governance.services import case_export, processing
from governance.services import retention as service
from governance.web.casework import fetch
from governance.web.containment import attachment
from governance.web.duty_pages import (
    Context,
    Nothing,
    case_cell,
    day,
    ending,
    perform,
    refusal,
    sheet,
    take_back,
    when,
)
from governance.web.guards import staff
from governance.web.sheets import csv_response

P = Permission
#: Rows of a part, and closed cases that are listed; others are named by their number.
SHOWN, OLDEST = 100, 25


class EraseForm(forms.Form):
    """Whose data is to be destroyed, by the number of one of their cases."""

    case = forms.CharField(
        label=gettext_lazy("Number of a closed case"), max_length=16,
        help_text=gettext_lazy("The data of its person goes, in all of their cases. It cannot be taken back."),
    )  # fmt: skip

    def clean_case(self) -> Case:
        """The case itself."""
        found = closed().filter(number=self.cleaned_data["case"].strip().upper()).first()
        if found is None:
            raise forms.ValidationError(_("No closed case has this number, or its person's end was asked for."))
        return cast(Case, found)


def closed() -> Any:
    """Closed cases whose person's data was not asked to be destroyed yet, the oldest first: they moved last then."""
    rows = Case.objects.filter(status="closed", parent=None).exclude(claimant__in=Erasure.claimants())
    return rows.select_related("claimant").order_by("changed_at", "id")


@require_safe
@staff(P.SEE_DUTIES)
def retention(request: HttpRequest) -> HttpResponseBase:
    """What is kept until when, what may go, what went."""
    return _page(request, None, 200)


def _page(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    actor = Actor.of(request.user)
    gone = Erasure.objects.filter(done_at__isnull=False).count()
    context = {
        "conclusion": ngettext(
            "The data of %(n)d person was destroyed", "The data of %(n)d people was destroyed", gone) % {"n": gone}
        if gone else _("No person's data was destroyed yet"),
        "sentence": _("When a case has ended and its time is over, its person's key is destroyed. A hold stops it."),
        "parts": [_asked(actor, form), _returned(), _due(actor, form), _policy(), _gone(actor)],
    }  # fmt: skip
    return sheet(request, "retention", context, status)


def _asked(actor: Actor, form: forms.Form | None) -> Context:
    rows = Erasure.objects.filter(done_at=None, returned_at=None).select_related("claimant", "asked_by")
    waiting = list(rows.order_by("id")[:SHOWN])
    offered = [one for erasure in waiting for one in _answers(erasure, actor, form)]
    return {
        "id": "asked", "title": _("Asked for"), "note": _("Waits for a second person."),
        "columns": [_("Case"), _("Rule"), _("Allowed since"), _("Asked by")],
        "rows": [
            [_number(one), one.rule, day(one.due_on), {"text": str(one.asked_by or ""), "note": when(one.asked_at)}]
            for one in waiting
        ],
        "empty": _("Nothing waits."), "next": _("It begins with a closed case below."), "forms": offered,
    }  # fmt: skip


def _answers(erasure: Erasure, actor: Actor, form: forms.Form | None) -> list[Context]:
    """What this person may say to what was asked: yes, no, or that they take it back."""
    case, no = {"number": _number(erasure)}, reverse("erasure_return", args=[erasure.pk])
    if erasure.asked_by is not None and erasure.asked_by == actor.user:
        return [take_back(no, _("Take back that you asked for the end of case %(number)s") % case)]
    if not may(actor, P.ERASE_APPROVE):
        return []
    yes = {
        "plain": True, "form": Nothing(), "action": reverse("erasure_approve", args=[erasure.pk]),
        "submit": _("Approve: destroy the data of case %(number)s") % case, "note": _("It cannot be taken back."),
    }  # fmt: skip
    refuse = refusal(erasure.pk, form, no, _("Refuse: keep the data of case %(number)s") % case)
    if settings.RETENTION == "schedule":
        refuse["note"] = _("The schedule destroys it all the same when its time is over; a legal hold stops that.")
    return [yes, refuse]


def _returned() -> Context:
    rows = Erasure.objects.exclude(returned_at=None).select_related("claimant", "asked_by", "returned_by")
    return {
        "id": "returned", "title": _("Refused or taken back"), "note": _("The data stays; it may be asked for again."),
        "columns": [_("Case"), _("Asked by"), _("Answer"), _("Why")],
        "rows": [
            [_number(one), {"text": str(one.asked_by or ""), "note": when(one.asked_at)},
             {"text": (_("taken back by %(who)s") if one.returned_by == one.asked_by else _("refused by %(who)s"))
              % {"who": one.returned_by}, "note": when(one.returned_at)}, one.returned_why]
            for one in rows.order_by("-returned_at")[:SHOWN]
        ],
        "empty": _("Nothing was refused."), "next": _("What is refused or taken back is named here."),
    }  # fmt: skip


def _number(erasure: Erasure) -> str:
    return ", ".join(erasure.claimant.cases.order_by("id").values_list("number", flat=True))


def _due(actor: Actor, form: forms.Form | None) -> Context:
    rows = []
    for case in closed()[:OLDEST]:
        due = service.due_of(case.claimant)
        why = service.problems(case.claimant, by_people=True)
        rows.append([
            case_cell(case, actor), day(case.closed_at), day(due[0]) if due else "", due[1].citation if due else "",
            {"state": "paused", "text": _("kept"), "note": " ".join(why)} if why
            else {"state": "waiting", "text": _("may go")},
        ])  # fmt: skip
    ask = {
        "title": _("Ask to destroy a person's data"), "action": reverse("erasure_ask"), "submit": _("Ask"),
        "form": form if isinstance(form, EraseForm) else EraseForm(auto_id="erase_%s"),
        "open": isinstance(form, EraseForm),
    }  # fmt: skip
    return {
        "id": "due", "title": _("Closed cases"), "note": _("The %(n)d oldest.") % {"n": OLDEST},
        "columns": [_("Case"), _("Closed"), _("Kept until"), _("Rule"), _("Now")],
        "rows": rows, "empty": _("No case is closed."), "next": _("A case stands here from its end until its data go."),
        "forms": [ask] if rows and may(actor, P.ERASE_ASK) else [],
    }  # fmt: skip


def _policy() -> Context:
    return {
        "id": "policy", "title": _("Policy"), "note": _("How long a case is kept after its end, by law."),
        "columns": [_("Law"), {"label": _("Months"), "num": True}, _("Source"), _("Ended by")],
        "rows": [[one["law"], one["months"], one["citation"], one["ends"]] for one in service.policy()],
    }  # fmt: skip


def _gone(actor: Actor) -> Context:
    rows = Erasure.objects.filter(done_at__isnull=False).select_related("claimant", "asked_by", "approved_by")
    return {
        "id": "gone", "title": _("Destroyed"), "note": service.GONE,
        "columns": [_("Case"), _("When"), _("Rule"), _("By")],
        "rows": [
            [_number(one), when(one.done_at), one.rule,
             _("%(one)s and %(other)s") % {"one": one.asked_by, "other": one.approved_by}
             if one.mode == Erasure.Mode.PEOPLE else one.get_mode_display()]
            for one in rows.order_by("-done_at")[:SHOWN]
        ],
        "empty": _("Nothing was destroyed yet."),
        "next": _("What two people or the schedule destroyed is named here."),
    }  # fmt: skip


@require_POST
@staff(P.ERASE_ASK, decide=True)
def erasure_ask(request: HttpRequest) -> HttpResponseBase:
    """Ask to destroy the data of a case's person."""
    form = EraseForm(request.POST, auto_id="erase_%s")

    def do() -> str:
        service.erasure_ask(case=form.cleaned_data["case"], actor=Actor.of(request.user))
        return _("Asked. A second person approves it.")

    return perform(request, form, do, _page, "retention")


def _fetch(pk: int) -> Erasure:
    erasure = Erasure.objects.select_related("claimant", "asked_by").filter(pk=pk).first()
    if erasure is None:
        raise Http404
    return erasure


@require_POST
@staff(P.ERASE_ASK, P.ERASE_APPROVE, decide=True)
def erasure_return(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The data stays: refused with a reason, or taken back by whoever asked."""
    erasure = _fetch(pk)
    form, reason = ending(request, pk, erasure.asked_by_id)

    def do() -> str:
        service.erasure_return(erasure=erasure, actor=Actor.of(request.user), reason=reason())
        return _("The data stays.")

    return perform(request, form, do, _page, "retention")


@require_POST
@staff(P.ERASE_APPROVE, decide=True)
def erasure_approve(request: HttpRequest, pk: int) -> HttpResponseBase:
    """The second signature destroys the key."""
    erasure = _fetch(pk)

    def do() -> str:
        service.erasure_approve(erasure=erasure, actor=Actor.of(request.user))
        return _("The data was destroyed.")

    return perform(request, Nothing(request.POST), do, _page, "retention")


@require_POST
@staff(P.EXPORT_CASE, decide=True)
def export(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The whole case as a ZIP, with personal data in the clear; who took it stands in the ledger."""
    found = fetch(request, public_id)
    return attachment(
        case_export.case_export(case=found, actor=Actor.of(request.user)), "application/zip", f"{found.number}.zip"
    )


@require_safe
@staff(P.SEE_DUTIES)
def register(request: HttpRequest) -> HttpResponseBase:
    """The register of processing; `?format=json` and `?format=csv` for programs, and it prints."""
    found = processing.register()
    if request.GET.get("format") == "json":
        text = json.dumps(found, indent=1, ensure_ascii=False)
        return attachment(text, "application/json", "register-of-processing.json")
    if request.GET.get("format") == "csv":
        names = list(found["activities"][0])
        return csv_response(
            "register-of-processing", [names, *[[one[n] for n in names] for one in found["activities"]]]
        )
    return sheet(request, "register_of_processing", _register(found))


def _register(found: dict[str, Any]) -> Context:
    labels = {
        "purpose": _("Purpose"), "basis": _("Basis"), "subjects": _("Whose data"), "data": _("Categories of data"),
        "recipients": _("Recipients"), "transfers": _("Transfers"), "retention": _("Kept"), "count": _("Now"),
    }  # fmt: skip
    controller = found["controller"]
    parts: list[Context] = [
        {
            "id": "controller", "title": _("Controller"), "note": _("GDPR Art. 30(1)(a)."),
            "facts": [
                (_("Name"), controller["name"]), (_("Contact"), controller["contact"] or _("not configured")),
                (_("Data protection officer"), controller["officer"] or _("not configured")),
            ],
        }
    ]  # fmt: skip
    parts += [
        {
            "id": f"activity-{number}", "title": one["activity"],
            "facts": [(label, one[name]) for name, label in labels.items()],
        }
        for number, one in enumerate(found["activities"])
    ]  # fmt: skip
    parts.append(_policy())
    parts.append(
        {"id": "security", "title": _("Security"), "note": _("GDPR Art. 30(1)(g), 32."), "lines": found["security"]}
    )
    return {
        "conclusion": _("Register of processing"),
        "sentence": _("GDPR Art. 30, worked out from what this installation has and does, on %(day)s.")
        % {"day": found["as_of"]},
        "links": [{"url": "?format=csv", "label": _("CSV")}, {"url": "?format=json", "label": _("JSON")}],
        "parts": parts,
    }
