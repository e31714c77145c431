"""Pages without an account beside the forms: receipt, confirmation of an address, the private page of a case."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance import dispatch
from governance.errors import KeyDestroyed
from governance.kinds import rule
from governance.models import Case, Status
from governance.policies import CLAIMANT, findings_told
from governance.selectors import organisation
from governance.services import bundles, children, intake, letters, links, retention, review, sharing, texts
from governance.web import languages, link_pages, recipient_words, standing
from governance.web.containment import attachment
from governance.web.filing_words import mask_address
from governance.web.follow_up import ContestForm
from governance.web.forms import AnswerForm, DeleteTextsForm, WithdrawForm
from governance.web.limits import limited, spend
from governance.web.sheets import csv_response
from governance.web.standing import report_of

#: Seconds during which whoever has just confirmed an address is led to the page of the case.
CONFIRMED_SHOWN = 15 * 60
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
            "logo_url": reverse("logo") if organisation.current().has_logo else "",
        },
    )


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
            "status_url": request.build_absolute_uri(reverse("status", args=[case.private_token])),
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


def _private(view: View) -> View:
    """A page behind a private link: looked up by the token's hash, never stored by browsers or search engines."""

    @never_cache
    @limited("status", methods=("GET", "HEAD", "POST"))
    @wraps(view)
    def guarded(request: HttpRequest, token: str, **more: Any) -> HttpResponseBase:
        case = links.case_of(token)
        if case is None:
            return link_pages.gone(request)
        with languages.of_case(request, case):
            response = view(request, case, token, **more)
        response["X-Robots-Tag"] = "noindex"
        return response

    return guarded


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@limited("status", methods=("GET", "HEAD", "POST"))
def confirm(request: HttpRequest, token: str) -> HttpResponseBase:
    """The link of the letter. GET asks, POST confirms: mail programs open links by themselves."""
    case = links.case_to_confirm(token)
    if case is None:
        return link_pages.gone(request)
    if request.method == "POST":
        if case.claimant.email_confirmed_at is None:
            intake.email_confirm(token=token)
            request.session["confirmed"] = {"case": case.pk, "until": time.time() + CONFIRMED_SHOWN}
        return redirect("confirm", token=token)
    with languages.of_case(request, case):
        return _confirm_page(request, Case.objects.select_related("claimant").get(pk=case.pk))


def _confirm_page(request: HttpRequest, case: Case) -> HttpResponseBase:
    done = case.claimant.email_confirmed_at is not None
    context: dict[str, Any] = {"number": case.number, "state": "confirmed" if done else "ask"}
    mine = request.session.get("confirmed") or {}
    if done:
        context["ask_url"] = reverse("link_ask")
    # Whoever finds the letter later must not get by it the present link of the page.
    if done and mine.get("case") == case.pk and mine["until"] > time.time():
        context["status_url"] = reverse("status", args=[case.private_token])
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


@require_POST
@_private
def link_new(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Another link in the place of this one, which opens nothing from now on."""
    if refused := spend(request, "links"):
        return refused
    links.link_rotate(case=case, actor=CLAIMANT)
    letters.letter_send(case=case, template="link")
    return redirect("status", token=case.private_token)


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
def texts_delete(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Delete the texts of a closed case, after a page that says what stays."""
    _readable(case)
    if not texts.deletable(case):
        return redirect("status", token=token)
    form = DeleteTextsForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        texts.texts_delete(case=case, actor=CLAIMANT)
        return redirect("status", token=token)
    context = {"form": form, "number": case.number, "back_url": reverse("status", args=[token])}
    return render(request, "claimant/texts_delete.html", context, status=422 if form.errors else 200)


@require_POST
@_private
def sharing_end(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Fingerprints of the works are no longer given to others. Sent twice, it says so and changes nothing."""
    sharing.consent_end(case=case, actor=CLAIMANT)
    return redirect("status", token=token)


@require_http_methods(["GET", "HEAD", "POST"])
@_private
def answer(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """The answer to our question; where none is open any more, back to the page of the case."""
    if case.status != Status.INFORMATION:
        return redirect("status", token=token)
    form = AnswerForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if refused := spend(request, "filing"):
            return refused
        review.information_answer(case=case, text=form.cleaned_data["text"], actor=CLAIMANT)
        return redirect("status", token=token)
    context = {"form": form, "number": case.number, "back_url": reverse("status", args=[token])}
    return render(request, "claimant/answer.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@_private
def follow(request: HttpRequest, case: Case, token: str, relation: str) -> HttpResponseBase:
    """Appeal, complain, or give the works free again: a case of its own, which has another reviewer."""
    wanted = next((one for one in children.follow_ups(case, claimant=True) if one == relation), None)
    if wanted is None:
        return redirect("status", token=token)
    form = ContestForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if refused := spend(request, "filing"):
            return refused
        child = children.case_follow(case=case, relation=wanted, reason=form.cleaned_data["reason"])
        return redirect("status", token=child.private_token)
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
def paper_pdf(request: HttpRequest, case: Case, token: str, kind: str) -> HttpResponseBase:
    """The certificate, or the letter that closed the case, sealed."""
    found = next((one for one in standing.papers_of(case) if one.kind == kind), None)
    if found is None:
        raise Http404
    _readable(case)
    return _download(found.pdf, f"{found.number}.pdf", "application/pdf")


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
def report_bundle(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Report, evidence and ledger proofs as one file that a program checks offline."""
    report = report_of(case)
    if report is None or not report.proofs:
        raise Http404
    return attachment(bundles.public_bundle(report), "application/zip", f"{report.number}.zip")


@require_safe
@_private
def recipients_csv(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """Who received the data, as the claimant may ask (GDPR Art. 19, second sentence)."""
    if not findings_told(case) or not hasattr(case, "release") or case.release.released_at is None:
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
