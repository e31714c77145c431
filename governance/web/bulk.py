"""One step for many cases: chosen in the queue, confirmed on a page that names each, its end told per case."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from governance.errors import GovernanceError
from governance.models import Case
from governance.policies import Actor, Permission, may
from governance.selectors import queue as select
from governance.services import assignment, decision, review
from governance.services.bulk import MOST, Outcome, bulk_run
from governance.web import bulk_forms, case_words
from governance.web.guards import staff
from governance.web.queue_filters import narrowed
from governance.web.sheets import csv_response

P = Permission
Step = Callable[[Case], str]


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """A step: button, question of the confirmation, who may, what is asked, and the service per case."""

    label: Any
    ask: Any
    permission: Permission
    form: type[forms.Form]
    step: Callable[[Any, Actor], Step] | None
    decide: bool = True


def _assign(form: bulk_forms.OfficerForm, actor: Actor) -> Step:
    officer = form.cleaned_data["officer"]

    def step(case: Case) -> str:
        assignment.case_assign(case=case, officer=officer, actor=actor)
        return _("with %(name)s") % {"name": officer} if officer else _("with nobody")

    return step


def _question(form: bulk_forms.QuestionForm, actor: Actor) -> Step:
    data = form.cleaned_data

    def step(case: Case) -> str:
        review.information_ask(
            case=case, actor=actor, question=data["question"], pauses_clock=bool(data["pauses_clock"])
        )
        return _("asked")

    return step


def _admit(form: forms.Form, actor: Actor) -> Step:
    def step(case: Case) -> str:
        review.case_admit(case=case, actor=actor)
        return _("admitted; the works are being looked for")

    return step


def _propose(form: bulk_forms.SameDecisionForm, actor: Actor) -> Step:
    def step(case: Case) -> str:
        n = decision.decision_propose(case=case, proposals=form.proposals(case), actor=actor)
        return ngettext("signed for %(n)d hit", "signed for %(n)d hits", n) % {"n": n}

    return step


#: Last part of the address -> step. URLs and the buttons of the queue are made from this.
BULK: Mapping[str, Bulk] = MappingProxyType(
    {
        "assign": Bulk(
            label=gettext_lazy("Assign"), ask=gettext_lazy("Assign these cases"), permission=P.ASSIGN,
            form=bulk_forms.OfficerForm, step=_assign, decide=False,
        ),
        "ask": Bulk(
            label=gettext_lazy("Ask a question"), ask=gettext_lazy("Ask these claimants the same question"),
            permission=P.REVIEW, form=bulk_forms.QuestionForm, step=_question,
        ),
        "admit": Bulk(
            label=gettext_lazy("Admit"), ask=gettext_lazy("Admit these requests"), permission=P.REVIEW,
            form=bulk_forms.NothingForm, step=_admit,
        ),
        "propose": Bulk(
            label=gettext_lazy("Propose the same decision"), ask=gettext_lazy("Propose the same decision"),
            permission=P.PROPOSE, form=bulk_forms.SameDecisionForm, step=_propose,
        ),
        "export": Bulk(
            label=gettext_lazy("Export as CSV"), ask=gettext_lazy("Export these cases"), permission=P.SEE_CASES,
            form=bulk_forms.NothingForm, step=None, decide=False,
        ),
    }
)  # fmt: skip


def offered(actor: Actor) -> list[dict[str, Any]]:
    """The buttons that this person finds below the queue."""
    return [
        {"name": name, "label": one.label, "url": reverse(f"cases_{name}")}
        for name, one in BULK.items()
        if may(actor, one.permission)
    ]


def bulk(name: str) -> Callable[..., HttpResponseBase]:
    """The view of one step: first the page that asks, then what became of each case."""
    one = BULK[name]

    @require_POST
    @staff(one.permission, decide=one.decide)
    def view(request: HttpRequest) -> HttpResponseBase:
        actor = Actor.of(request.user)
        chosen = _chosen(request.POST, actor)
        sent = "confirmed" in request.POST
        form = one.form(request.POST if sent else None)
        problem = "" if 0 < len(chosen) <= MOST else _many(len(chosen))
        if sent and not problem and form.is_valid():
            if one.step is None:
                return csv_response("cases", sheet(chosen))
            ids = [case.public_id for case in chosen]
            try:
                return _told(
                    request,
                    one,
                    bulk_run(public_ids=ids, step=one.step(form, actor), permission=one.permission, actor=actor),
                )
            except GovernanceError as error:
                problem = " ".join(error.messages)
        return _asked(request, name, form, chosen, problem)

    return view


def _many(number: int) -> str:
    if not number:
        return _("Choose at least one case in the queue.")
    return _("%(n)d cases are more than one person can have looked at; take at most %(most)d.") % {
        "n": number, "most": MOST}  # fmt: skip


def _chosen(sent: QueryDict, actor: Actor) -> list[Case]:
    """The ticked cases, or the first `MOST` of everything that the list holds, in the list's order."""
    if sent.get("everything"):
        filters, _view, sort = narrowed(QueryDict(sent.get("query", "")), actor)
        return select.queue_page(actor, filters.narrowed(), sort=sort, size=MOST).rows
    ids = []
    for text in sent.getlist("case")[: MOST + 1]:
        try:
            ids.append(uuid.UUID(text))
        except ValueError:
            continue
    return select.queue_page(actor, Case.objects.filter(public_id__in=ids), size=MOST + 1).rows


def _asked(request: HttpRequest, name: str, form: forms.Form, chosen: list[Case], problem: str) -> HttpResponseBase:
    one, n = BULK[name], len(chosen)
    counted = ngettext("%(n)d case", "%(n)d cases", n) % {"n": n}
    context = {
        "crumbs": [{"label": _("Cases"), "url": reverse("cases")}, {"label": one.label}],
        "conclusion": f"{one.ask}: {counted}",
        "form": form if not problem else None,
        "problem": problem,
        "action": reverse(f"cases_{name}"),
        "submit": one.label,
        "decides": one.decide,
        "chosen": [_line(case) for case in chosen],
    }
    return render(request, "casework/bulk.html", context, status=422 if problem or form.errors else 200)


def _line(case: Case) -> dict[str, Any]:
    return {
        "public_id": case.public_id,
        "number": case.number,
        "url": reverse("case", args=[case.public_id]),
        "title": case_words.title(case, getattr(case, "items_count", 0)),
        "stage": case_words.stage(case)["label"],
        "due": case_words.due_words(case, case.due_on),
        "officer": case.officer or _("nobody yet"),
    }


def _told(request: HttpRequest, one: Bulk, outcomes: list[Outcome]) -> HttpResponseBase:
    done = sum(1 for outcome in outcomes if outcome.done)
    left = len(outcomes) - done
    words = ngettext("%(n)d case done", "%(n)d cases done", done) % {"n": done}
    if left:
        words += ", " + ngettext("%(n)d refused", "%(n)d refused", left) % {"n": left}
    context = {
        "crumbs": [{"label": _("Cases"), "url": reverse("cases")}, {"label": one.label}],
        "conclusion": words,
        "outcomes": [
            {
                "number": outcome.case.number,
                "url": reverse("case", args=[outcome.case.public_id]),
                "state": "pass" if outcome.done else "fail",
                "word": _("done") if outcome.done else _("not done"),
                "words": outcome.words,
            }
            for outcome in sorted(outcomes, key=lambda outcome: outcome.done)
        ],
    }
    return render(request, "casework/bulk_done.html", context)


def sheet(chosen: list[Case]) -> list[list[Any]]:
    """Head and a row per case; nothing about a person."""
    head = ["number", "kind", "law", "stage", "disposition", "received_on", "due_on", "paused_on", "extended_on",
            "officer", "works"]  # fmt: skip
    return [head] + [
        [
            case.number, case.kind, case.law, case.status, case.disposition, case.received_on, case.due_on,
            case.paused_on or "", case.extended_on or "", str(case.officer or ""), getattr(case, "items_count", 0),
        ]
        for case in chosen
    ]  # fmt: skip
