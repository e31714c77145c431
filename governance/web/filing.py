"""Filing a request, page by page: each page is kept as soon as it is sent, and the draft has a private link."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from governance.clocks import default_for
from governance.errors import Conflict, Unfit
from governance.models import Case, Draft, Kind
from governance.notifications.errors import SendFailed
from governance.services import drafts, work_files
from governance.services.intake import Item
from governance.validators import number_in
from governance.web import filing_words, media_words
from governance.web.forms import PersonForm
from governance.web.kind_forms import SendForm
from governance.web.limits import limited, spend
from governance.web.steps import CHECK, FLOWS, Flow, Step, form_for
from governance.web.work_forms import WorksForm

#: For this long the page of receipt can be loaded again; afterwards the link stands in the letter alone.
RECEIPT_SECONDS = 900

View = Callable[..., HttpResponseBase]


def start(kind: Kind) -> View:
    """The first page of a kind of request; its answers begin a draft."""
    flow = FLOWS[kind]
    first = flow.steps[0]

    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @limited("pages")
    def page(request: HttpRequest) -> HttpResponseBase:
        form = form_for(first, kind, request.POST if request.method == "POST" else None)
        if form.is_valid():
            typed = drafts.as_texts(request.POST, list(form.fields))
            draft = drafts.draft_begin(kind=kind, step=first.name, answers=typed)
            return redirect("draft_step", token=drafts.draft_token(draft), name=flow.after(first.name))
        return _page(request, flow, first, form)

    return page


def _drafted(view: View) -> View:
    """A page behind a draft's link; one that was sent already says so, and changes nothing."""

    @never_cache
    @limited("pages")
    @wraps(view)
    def guarded(request: HttpRequest, token: str, **more: Any) -> HttpResponseBase:
        draft = drafts.draft_find(token)
        if draft is None:
            return spend(request, "status") or render(request, "claimant/draft_gone.html", status=404)
        response = _sent(request, draft) if draft.sent_at else view(request, draft, token, **more)
        response["X-Robots-Tag"] = "noindex"
        return response

    return guarded


def _sent(request: HttpRequest, draft: Draft) -> HttpResponseBase:
    entry = request.session.get("receipt") or {}
    if draft.case and entry.get("case") == draft.case.pk:
        return redirect("receipt")
    return render(request, "claimant/draft_sent.html", {"number": draft.case.number if draft.case else ""})


@require_safe
@_drafted
def resume(request: HttpRequest, draft: Draft, token: str) -> HttpResponseBase:
    """Go on where the draft stands."""
    return redirect("draft_step", token=token, name=_next_open(draft))


@require_http_methods(["GET", "HEAD", "POST"])
@_drafted
def step(request: HttpRequest, draft: Draft, token: str, name: str) -> HttpResponseBase:
    """One page of a draft."""
    kind = Kind(draft.kind)
    flow = FLOWS[kind]
    if name == CHECK:
        return _check(request, draft, flow)
    page = flow.step(name)
    if page is None:
        return redirect("draft", token=token)
    if name == "works":
        return _works(request, draft, flow, page)
    if request.method != "POST":
        form = form_for(page, kind, initial=drafts.answers_of(draft).get(name, {}))
        return _page(request, flow, page, form, draft)
    form = form_for(page, kind, request.POST)
    if not form.is_valid():
        return _page(request, flow, page, form, draft)
    drafts.draft_answer(draft=draft, step=name, answers=drafts.as_texts(request.POST, list(form.fields)))
    return _onward(draft, flow, name)


def _onward(draft: Draft, flow: Flow, name: str) -> HttpResponseBase:
    """To the next page; whoever changes an answer of a whole request comes back to the look at it."""
    to = CHECK if _next_open(draft) == CHECK else flow.after(name)
    return redirect("draft_step", token=drafts.draft_token(draft), name=to)


def _works(request: HttpRequest, draft: Draft, flow: Flow, page: Step) -> HttpResponseBase:
    if request.method != "POST":
        return _page(request, flow, page, WorksForm(), draft)
    remove = number_in(request.POST.get("remove", ""))
    if remove is not None:
        drafts.work_remove(draft=draft, pk=remove)
        return _page(request, flow, page, WorksForm(initial=request.POST.dict()), draft)
    form = WorksForm(request.POST, request.FILES)
    try:
        drafts.works_add(draft=draft, items=form.items(), files=form.readable)
    except Unfit as error:
        for message in error.messages:
            form.add_error(None, message)
    if form.is_valid() and not work_files.works_of(draft):
        form.add_error("files", _("Name at least one work: choose a file, paste a text or write an address."))
    if not form.is_valid():
        return _page(request, flow, page, form, draft)
    if "more" in request.POST:
        return redirect("draft_step", token=drafts.draft_token(draft), name=page.name)
    return _onward(draft, flow, page.name)


def _page(request: HttpRequest, flow: Flow, page: Step, form: Any, draft: Draft | None = None) -> HttpResponse:
    before = flow.before(page.name)
    context: dict[str, Any] = {
        "form": form,
        "flow": flow,
        "page": page,
        **_progress(flow, page.name),
        "back_url": _url(draft, before) if draft and before else reverse("home"),
        "notice": filing_words.notice(),
    }
    if draft:
        context["save_url"] = reverse("draft_save", args=[drafts.draft_token(draft)])
    if draft and page.name == "works":
        context |= {"works": filing_words.works(draft), "media": media_words.rows()}
    return render(request, page.template, context, status=422 if form.is_bound and form.errors else 200)


def _progress(flow: Flow, name: str) -> dict[str, Any]:
    number, total = flow.number(name), len(flow.steps) + 1
    return {"step": number, "steps": total, "step_label": _("Step %(n)d of %(total)d") % {"n": number, "total": total}}


def _url(draft: Draft, name: str) -> str:
    return reverse("draft_step", args=[drafts.draft_token(draft), name])


def _bound(draft: Draft) -> dict[str, forms.Form]:
    """The form of every page but the works', with what was answered; a page without answers has none."""
    kind, answers = Kind(draft.kind), drafts.answers_of(draft)
    bound = {
        page.name: form_for(page, kind, answers[page.name])
        for page in FLOWS[kind].steps
        if page.name != "works" and page.name in answers
    }
    for form in bound.values():
        form.full_clean()
    return bound


def _next_open(draft: Draft) -> str:
    """The first page that still lacks an answer."""
    bound = _bound(draft)
    for page in FLOWS[Kind(draft.kind)].steps:
        done = (
            bool(work_files.works_of(draft))
            if page.name == "works"
            else page.name in bound and bound[page.name].is_valid()
        )
        if not done:
            return page.name
    return CHECK


def _check(request: HttpRequest, draft: Draft, flow: Flow) -> HttpResponseBase:
    """The whole request before it is sent, each part with its way back; what is declared; the one button that files."""
    if (missing := _next_open(draft)) != CHECK:
        return redirect("draft_step", token=drafts.draft_token(draft), name=missing)
    bound = _bound(draft)
    person = cast(PersonForm, bound["who"]).facts()
    form = SendForm(
        request.POST if request.method == "POST" else None,
        kind=Kind(draft.kind), acts=person["acts"],
    )  # fmt: skip
    if form.is_valid() and (answer := _file(request, draft, bound, form)):
        return answer
    context = {
        "form": form,
        "flow": flow,
        "parts": [_part(draft, page, bound) for page in flow.steps],
        **_progress(flow, CHECK),
        "back_url": _url(draft, flow.before(CHECK)),
        "save_url": reverse("draft_save", args=[drafts.draft_token(draft)]),
        "works_kind": draft.kind == Kind.COPYRIGHT,
        "media": media_words.unchanged(draft),
    }
    return render(request, "claimant/check.html", context, status=422 if form.is_bound and form.errors else 200)


def _part(draft: Draft, page: Step, bound: dict[str, forms.Form]) -> dict[str, Any]:
    rows = filing_words.works(draft) if page.name == "works" else filing_words.answers(bound[page.name])
    return {"head": page.head, "url": _url(draft, page.name), "rows": rows, "works": page.name == "works"}


def _file(request: HttpRequest, draft: Draft, bound: dict[str, Any], form: SendForm) -> HttpResponseBase | None:
    """File it; None when the service refuses, its sentences then stand in the form."""
    if refused := spend(request, "filing"):
        return refused
    kind = Kind(draft.kind)
    items: list[Item] = []
    for name, one in bound.items():
        items += one.items() if name not in {"who", "law"} else []
    law = bound["law"].cleaned_data["law"] if "law" in bound else default_for(kind)
    try:
        case = drafts.draft_file(
            draft=draft,
            filing={
                "kind": kind, "law": law, "items": items, "language": get_language() or "", **bound["who"].facts(),
                "share": form.cleaned_data.get("share", False),
            },
        )  # fmt: skip
    except Unfit as error:
        for message in error.messages:
            form.add_error(None, message)
        return None
    return _receipt(request, case)


def _receipt(request: HttpRequest, case: Case) -> HttpResponseBase:
    request.session["receipt"] = {"case": case.pk, "until": int(time.time()) + RECEIPT_SECONDS}
    return redirect("receipt")


@require_http_methods(["GET", "HEAD", "POST"])
@_drafted
def save(request: HttpRequest, draft: Draft, token: str) -> HttpResponseBase:
    """The draft's link, shown and on request sent by e-mail."""
    who = _bound(draft).get("who")
    to = cast(PersonForm, who).facts()["email"] if who is not None and who.is_valid() else ""
    said, failed = "", False
    if request.method == "POST" and to:
        if refused := spend(request, "filing"):
            return refused
        said, failed = _mail(request, draft, to)
    context = {
        "link": request.build_absolute_uri(reverse("draft", args=[token])),
        "until": timezone.localdate(draft.expires_at),
        "mail_masked": filing_words.mask_address(to) if to else "",
        "said": said,
        "failed": failed,
        "back_url": reverse("draft", args=[token]),
        "discard_url": reverse("draft_discard", args=[token]),
    }
    return render(request, "claimant/draft_saved.html", context)


def _mail(request: HttpRequest, draft: Draft, to: str) -> tuple[str, bool]:
    link = request.build_absolute_uri(reverse("draft", args=[drafts.draft_token(draft)]))
    title, body = filing_words.draft_letter(draft, link)
    try:
        drafts.draft_mail(draft=draft, to=to, title=title, body=body, language=get_language() or "en")
    except Conflict:
        return _("We sent the link a moment ago. Look into your mail, also among the unwanted."), False
    except SendFailed:
        return _("The letter could not be sent now. Copy the link from this page instead."), True
    return _("Sent. Whoever has the link can read and change this draft: keep it to yourself."), False


@require_http_methods(["POST"])
@_drafted
def discard(request: HttpRequest, draft: Draft, token: str) -> HttpResponseBase:
    """Destroy the draft."""
    drafts.draft_discard(draft=draft)
    return render(request, "claimant/draft_gone.html", {"discarded": True})
