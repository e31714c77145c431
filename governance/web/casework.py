"""The legal desk: queue, case, what is done to a case, its verification, requests by post or telephone."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.errors import GovernanceError
from governance.models import Case, Channel
from governance.policies import Actor, Permission, may, partial
from governance.selectors import cases as select
from governance.selectors import jobs as select_jobs
from governance.selectors import queue as select_queue
from governance.services import abuse, intake, retention
from governance.services.privacy import Person, person_reveal
from governance.tokens import email_mark
from governance.web import (
    case_desk,
    case_history,
    case_panel,
    case_steps,
    case_tabs,
    case_words,
    clock_view,
    erased_case,
    follow_up,
    probes,
    proof_actions,
    queue,
    verdict_words,
)
from governance.web.case_actions import ACTIONS, Action
from governance.web.guards import staff
from governance.web.job_words import progress_of
from governance.web.sent_once import sent_once
from governance.web.sheets import csv_response
from governance.web.staff_forms import CHANGED, CaseForm, NewCaseForm

P = Permission
#: A page about running work asks again after so many seconds.
REFRESH = 5


def fetch(request: HttpRequest, public_id: uuid.UUID) -> Case:
    """The case, if it exists and this person may see it.

    Raises:
        Http404: no such case.
    """
    try:
        return select.case_get(Actor.of(request.user), public_id)
    except Case.DoesNotExist as error:
        raise Http404 from error


@gzip_page
@require_safe
@staff(P.SEE_CASES)
def cases(request: HttpRequest) -> HttpResponseBase:
    """The queue by due date, with lists, filters and search. A whole case number leads straight to its case."""
    actor = Actor.of(request.user)
    words = request.GET.get("q", "").strip()
    if "@" in words:  # a link made by hand: the address is read here once, and stands nowhere on the page
        return redirect(f"{reverse('cases')}?{urlencode({'person': email_mark(words)})}")
    if words:
        exact = select_queue.search(actor, words).filter(number=words.upper()).first()
        if exact:
            return redirect("case", public_id=exact.public_id)
    return render(request, "casework/queue.html", queue.context(request, actor))


@gzip_page
@require_safe
@staff(P.SEE_CASES)
def case(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """One case; of one whose person's data was destroyed, what is left."""
    found = fetch(request, public_id)
    if gone := retention.erased(found):
        context = erased_case.context(found, gone, Actor.of(request.user))
        return render(request, "casework/erased.html", context, status=410)
    return case_page(request, found)


def case_page(
    request: HttpRequest,
    found: Case,
    *,
    bound: Mapping[str, CaseForm] | None = None,
    person: Person | None = None,
    status: int = 200,
) -> HttpResponse:
    """The case's page: head, clock, parts, panel, history. `bound` holds a form that was sent with errors."""
    actor, today, hits = Actor.of(request.user), timezone.localdate(), select.hits(found)
    prefetch_related_objects([found], "proofs")
    party = partial(found, actor)
    desk = case_panel.Desk(case=found, actor=actor, hits=hits, bound=bound or {}, partial=party)
    panel = case_panel.panel(desk)
    finding = abuse.finding_of(found)
    panel["extras"] += case_desk.extras(desk, finding)
    openings = select.history(found)
    tab = case_tabs.current(found, request.GET.get("tab", ""))
    look = case_tabs.Look(
        case=found, actor=actor, hits=hits, query=request.GET.dict(), exceptions=panel.get("exceptions", False),
        form=panel.get("form"),
    )  # fmt: skip
    onward = select_queue.next_waiting(actor, found)
    job = select_jobs.running(found) if found.is_open else None
    context = {
        "crumbs": [{"label": _("Cases"), "url": reverse("cases")}, {"label": found.number}],
        "case": head(found, actor),
        "person": person,
        "notices": case_desk.notices(found, finding, actor, party),
        "next_url": reverse("case", args=[onward.public_id]) if onward else "",
        "print_url": reverse("case_print", args=[found.public_id]),
        "export_url": reverse("case_zip", args=[found.public_id]) if may(actor, P.EXPORT_CASE) else "",
        "clock": case_words.clock(found, today, whole=True),
        **clock_view.context(found, actor, today),
        "tabs": case_tabs.links(found, len(hits), tab),
        "panel": panel,
        "job": progress_of(job, may(actor, P.SEE_JOBS)) if job else None,
        "refresh_seconds": REFRESH if job and status == 200 and request.method == "GET" else 0,
        "steps": case_steps.steps(found),
        "relatives": follow_up.relatives(found),
        "history": case_history.timeline(openings, case_panel.waiting_words(found), linked=may(actor, P.SEE_LEDGER)),
        "ledger_url": case_history.ledger_url(found, actor),
        **case_tabs.TABS[tab][1](look),
    }
    return render(request, "casework/case.html", context, status=status)


def head(found: Case, actor: Actor) -> dict[str, Any]:
    """The line below the case's title."""
    levels = sorted({one.level for one in proof_actions.counting(found)})
    facts = [
        {"label": "", "value": case_words.law_words(found)},
        {"label": _("Received"), "value": date_format(found.received_on, "j F Y")},
        {"label": _("Proof"), "value": ", ".join(f"P{n}" for n in levels) or _("none yet")},
        {"label": _("With"), "value": str(found.officer or _("nobody yet"))},
    ]
    take = case_desk.take_action(found, actor)
    can = may(actor, P.REVEAL_PERSON)
    return {
        "number": found.number,
        "title": case_words.long_title(found),
        "facts": facts,
        "stage": case_words.stage(found),
        "masked": _("Name and contact masked."),
        "reveal_action": reverse("case_reveal", args=[found.public_id]) if can else "",
        "take_action": take,
    }


def act(name: str) -> Callable[..., HttpResponseBase]:
    """The view of one action of `ACTIONS`: form, service, and back to the case; errors stand in its form."""
    action = ACTIONS[name]

    @require_POST
    @staff(*action.permissions, decide=action.decide)
    def view(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
        found = fetch(request, public_id)
        form, status = action.form(found, request.POST, auto_id=f"{name}_%s"), 422
        if form.is_valid():
            try:
                return redirect(sent_once(request, lambda: _perform(request, action, found, form)))
            except GovernanceError as error:
                status = error.status
                for problem in error.messages:
                    form.add_error(None, ValidationError(problem, code=CHANGED if status == 409 else None))
        fresh = fetch(request, public_id)
        _tell(request, name, form)
        return case_page(request, fresh, bound={name: form}, status=status)

    return view


@gzip_page
@require_safe
@staff(P.SEE_CASES)
def case_print(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The whole file of a case on one page, for paper: every part that this reader may see, and the full history."""
    found, actor, today = fetch(request, public_id), Actor.of(request.user), timezone.localdate()
    openings = select.history(found, limit=10_000)
    look = case_tabs.Look(case=found, actor=actor, hits=select.hits(found, texts=True), query={}, whole=True)
    context = {
        "crumbs": [
            {"label": _("Cases"), "url": reverse("cases")},
            {"label": found.number, "url": reverse("case", args=[public_id])},
            {"label": _("File")},
        ],
        "case": head(found, actor),
        "notices": case_desk.notices(found, abuse.finding_of(found), actor, ""),
        "clock": case_words.clock(found, today, whole=True),
        **clock_view.context(found, actor, today),
        "parts": case_tabs.parts(look),
        "history": case_history.timeline(openings, case_panel.waiting_words(found)),
        "printed": date_format(timezone.localtime(), "j F Y, H:i"),
        "reader": str(request.user),
    }
    return render(request, "casework/file.html", context)


def _perform(request: HttpRequest, action: Action, found: Case, form: CaseForm) -> str:
    messages.success(request, action.perform(found, form, Actor.of(request.user)))
    return reverse("case", args=[found.public_id])


def _tell(request: HttpRequest, name: str, form: CaseForm) -> None:
    """An action whose form is no longer on the page still says why it was refused."""
    for problem in form.non_field_errors():
        messages.error(request, str(problem))


@require_POST
@staff(P.REVEAL_PERSON)
def reveal(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Name and address, once, in the answer to this very request; the ledger holds who looked."""
    found = fetch(request, public_id)
    person = person_reveal(case=found, actor=Actor.of(request.user))
    return case_page(request, found, person=person)


@gzip_page
@require_safe
@staff(P.SEE_CASES)
def verification(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """What the probes found about each plan of a case; `?format=csv` gives every number."""
    found = fetch(request, public_id)
    verdicts = list(select.verifications(found))
    if not verdicts:
        raise Http404
    if request.GET.get("format") == "csv":
        return csv_response(f"{found.number}-verification", probes.csv_rows(verdicts))
    context = {
        "crumbs": [
            {"label": _("Cases"), "url": reverse("cases")},
            {"label": found.number, "url": reverse("case", args=[public_id])},
            {"label": _("Verification")},
        ],
        "conclusion": probes.conclusion(verdicts[-1]),
        "sentence": probes.sentence(verdicts),
        "plans": probes.cards(verdicts),
        "legend": probes.legend(verdicts),
        "groups": probes.groups(verdicts),
        "numbers": request.GET.get("numbers", ""),
        **verdict_words.behind(verdicts[-1]),
        "foot": FOOT,
        "csv_url": "?format=csv",
    }
    return render(request, "casework/verification.html", context)


FOOT = gettext_lazy(
    "Pass: the whole interval of the difference from the reference lies inside the margin. Fail: it lies beyond, with "
    "all tests of the plan counted as one family. Inconclusive: it straddles. An attack can teach, so the reference "
    "runs through every attack as well. Each plan is drawn against its own reference and its own limits. The spread of "
    "answers can fail a model and never pass one."
)


def _enter(request: HttpRequest, form: NewCaseForm) -> str:
    data = form.cleaned_data
    made = intake.case_file(
        kind=form.kind(), law=data["law"], name=data["name"], email=data["email"], items=form.items(),
        actor=Actor.of(request.user), channel=Channel(data["channel"]), received_on=data["received_on"],
        place=data["place"],
    )  # fmt: skip
    messages.success(request, _("Case %(number)s is open; its receipt is on the way.") % {"number": made.number})
    return reverse("case", args=[made.public_id])


@require_http_methods(["GET", "HEAD", "POST"])
@staff(P.ENTER_CASE)
def case_new(request: HttpRequest) -> HttpResponseBase:
    """A request that came by post or telephone; its clock runs from the true date of receipt."""
    form = NewCaseForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                return redirect(sent_once(request, lambda: _enter(request, form)))
            except GovernanceError as error:
                status = error.status
                for problem in error.messages:
                    form.add_error(None, problem)
    crumbs = [{"label": _("Cases"), "url": reverse("cases")}, {"label": _("Enter a request")}]
    return render(request, "casework/new.html", {"form": form, "crumbs": crumbs}, status=status)
