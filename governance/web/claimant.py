"""Pages without an account: two forms, the confirmation of an address, the private page of a case."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance import dispatch
from governance.errors import KeyDestroyed, Unfit
from governance.kinds import rule
from governance.models import Case, Kind, Status
from governance.policies import CLAIMANT
from governance.services import children, intake, retention
from governance.tokens import link_token, token_hash
from governance.web import recipient_words, standing
from governance.web.follow_up import ContestForm
from governance.web.forms import OptOutForm, PersonForm, PrivacyForm, WithdrawForm
from governance.web.kind_forms import CorrectionForm, ObjectionForm, SafetyForm
from governance.web.limits import limited, spend
from governance.web.sheets import csv_response
from governance.web.standing import report_of

#: For this long the page of receipt can be loaded again; afterwards the link stands in the letter alone.
RECEIPT_SECONDS = 900
MORE = 3

View = Callable[..., HttpResponseBase]


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The front page: two ways in, the check of a report, and the staff's door."""
    return render(
        request,
        "claimant/home.html",
        {
            "opt_out_url": reverse("opt_out"),
            "privacy_url": reverse("privacy"),
            "verify_url": reverse("verify"),
            "sign_in_url": reverse("desk"),
        },
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("pages")
def opt_out(request: HttpRequest) -> HttpResponseBase:
    """An artist's copyright opt-out."""
    if request.method != "POST":
        return _form_page(request, OptOutForm(), Kind.COPYRIGHT)
    count = _works(request)
    form = OptOutForm(request.POST, request.FILES, works=count)
    if "more" in request.POST:
        longer = OptOutForm(initial=form.kept(), works=count + MORE)
        longer.fields[f"title_{min(count + 1, longer.works)}"].widget.attrs["autofocus"] = True
        return _form_page(request, longer, Kind.COPYRIGHT, lost=form.chosen_files())
    if form.is_valid():
        answer = _file(request, form, kind=Kind.COPYRIGHT, law="house")
        if answer:
            return answer
    return _form_page(request, form, Kind.COPYRIGHT, lost=form.chosen_files())


def _works(request: HttpRequest) -> int:
    """How many works the form that was sent has; a forged number counts as one."""
    text = request.POST.get("works", "1")
    return int(text) if text.isdecimal() and len(text) < 4 else 1


#: Kind -> its form; each has a page and a template of the kind's name.
FORMS: Mapping[Kind, type[PersonForm]] = MappingProxyType(
    {
        Kind.PRIVACY: PrivacyForm,
        Kind.OBJECTION: ObjectionForm,
        Kind.SAFETY: SafetyForm,
        Kind.CORRECTION: CorrectionForm,
    }
)


def filing(kind: Kind) -> View:
    """The page on which a request of this kind is filed."""

    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @limited("pages")
    def page(request: HttpRequest) -> HttpResponseBase:
        form: Any = FORMS[kind](request.POST if request.method == "POST" else None)
        if form.is_valid():
            law = form.cleaned_data.get("law") or form.law_code()
            if answer := _file(request, form, kind=kind, law=law):
                return answer
        return _form_page(request, form, kind)

    return page


def _form_page(request: HttpRequest, form: PersonForm, kind: Kind, *, lost: list[str] | None = None) -> HttpResponse:
    template = "claimant/opt_out.html" if kind is Kind.COPYRIGHT else f"claimant/{kind}.html"
    context = {"form": form, "lost": lost or [], "back_url": reverse("home")}
    return render(request, template, context, status=422 if form.is_bound and form.errors else 200)


def _file(request: HttpRequest, form: Any, *, kind: Kind, law: str) -> HttpResponseBase | None:
    """File the request; None when the service refuses it, its sentences then stand in the form."""
    if refused := spend(request, "filing"):
        return refused
    try:
        case = intake.case_file(
            kind=kind,
            law=law,
            name=form.cleaned_data["name"],
            email=form.cleaned_data["email"],
            items=form.items(),
        )
    except Unfit as error:
        for message in error.messages:
            form.add_error(None, message)
        return None
    request.session["receipt"] = {"case": case.pk, "until": int(time.time()) + RECEIPT_SECONDS}
    return redirect("receipt")


@never_cache
@require_safe
def receipt(request: HttpRequest) -> HttpResponseBase:
    """Right after filing: number, private link, deadline. Gone after a quarter of an hour; the letter stays."""
    entry = request.session.get("receipt")
    if not entry or entry["until"] < time.time():
        request.session.pop("receipt", None)
        return render(request, "claimant/receipt_gone.html")
    case = Case.objects.select_related("claimant").get(pk=entry["case"])
    return render(
        request,
        "claimant/receipt.html",
        {
            "number": case.number,
            "status_url": request.build_absolute_uri(reverse("status", args=[link_token(case.public_id, "status")])),
            "mail_masked": mask_address(case.claimant.email),
            "clock": standing.clock(case),
            "next_steps": [
                _("Follow the link in our letter; until then nothing is decided."),
                _("We record what shows that it is you who asks.")
                if rule(case.kind).personal
                else _("We record what shows that the works are yours. You never need to prove what a model knows."),
                _("Two people decide, and you receive a written answer."),
            ],
        },
    )


def mask_address(address: str) -> str:
    """`m…@example.org`: enough to recognise one's own address."""
    local, _at, host = address.rpartition("@")
    return f"{local[:1]}…@{host}"


def _private(view: View) -> View:
    """A page behind a private link: looked up by the token's hash, never stored by browsers or search engines."""

    @never_cache
    @limited("status", methods=("GET", "HEAD", "POST"))
    @wraps(view)
    def guarded(request: HttpRequest, token: str, **more: Any) -> HttpResponseBase:
        case = Case.objects.select_related("claimant").filter(status_token=token_hash(token)).first()
        if case is None:
            raise Http404
        response = view(request, case, token, **more)
        response["X-Robots-Tag"] = "noindex"
        return response

    return guarded


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("status", methods=("GET", "HEAD", "POST"))
def confirm(request: HttpRequest, token: str) -> HttpResponseBase:
    """The link of the letter. GET asks, POST confirms: mail programs open links by themselves."""
    case = Case.objects.filter(confirm_token=token_hash(token)).first()
    if case is None:
        raise Http404
    if request.method == "POST":
        intake.email_confirm(token=token)
        return redirect("confirm", token=token)
    case = Case.objects.select_related("claimant").get(pk=case.pk)
    done = case.claimant.email_confirmed_at is not None
    context: dict[str, Any] = {"number": case.number, "state": "confirmed" if done else "ask"}
    if done:
        context["status_url"] = reverse("status", args=[link_token(case.public_id, "status")])
    return render(request, "claimant/confirm_email.html", context)


@require_safe
@_private
def status(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Where the case stands."""
    _readable(case)
    return render(request, "claimant/status.html", {"case": standing.view_of(case, token)})


@require_POST
@_private
def resend(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Send the letter with the confirmation link once more."""
    if refused := spend(request, "filing"):
        return refused
    if case.status == Status.RECEIVED:
        intake.confirmation_resend(case=case)
    return redirect("status", token=token)


@require_http_methods(["GET", "HEAD", "POST"])
@_private
def withdraw(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Take the request back, after a page that says what that means."""
    if not standing.can_withdraw(case):
        return redirect("status", token=token)
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        intake.case_withdraw(case=case, actor=CLAIMANT, reason="Withdrawn by the claimant")
        return redirect("status", token=token)
    context = {"form": form, "number": case.number, "back_url": reverse("status", args=[token])}
    return render(request, "claimant/withdraw.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@_private
def follow(request: HttpRequest, case: Case, token: str, relation: str) -> HttpResponseBase:
    """Appeal, complain, or give the works free again: a case of its own, which has another reviewer."""
    wanted = next((one for one in children.follow_ups(case) if one == relation), None)
    if wanted is None:
        return redirect("status", token=token)
    form = ContestForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if refused := spend(request, "filing"):
            return refused
        child = children.case_follow(case=case, relation=wanted, reason=form.cleaned_data["reason"])
        return redirect("status", token=link_token(child.public_id, "status"))
    context = {
        "form": form,
        "number": case.number,
        "back_url": reverse("status", args=[token]),
        **standing.FOLLOW[wanted],
    }
    return render(request, "claimant/follow.html", context, status=422 if form.errors else 200)


@require_safe
@_private
def report_pdf(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """The signed report."""
    report = report_of(case)
    if report is None:
        raise Http404
    _readable(case)
    return _download(report.pdf, f"{report.number}.pdf", "application/pdf")


@require_safe
@_private
def report_evidence(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """The report's evidence as JSON."""
    report = report_of(case)
    if report is None:
        raise Http404
    _readable(case)
    return _download(report.evidence, f"{report.number}.json", "application/json")


@require_safe
@_private
def recipients_csv(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Who received the data, as the claimant may ask (GDPR Art. 19, second sentence)."""
    if not hasattr(case, "release") or case.release.released_at is None:
        raise Http404
    return csv_response(f"{case.number}-recipients", recipient_words.sheet_rows(case))


def _readable(case: Case) -> None:
    """Raises KeyDestroyed where the house's copies went with the person's key."""
    if gone := retention.erased(case):
        raise KeyDestroyed(gone)


def _download(ref: str, name: str, kind: str) -> HttpResponse:
    """A stored file, checked against its digest as it is read."""
    response = HttpResponse(dispatch.read_bytes(ref), content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
