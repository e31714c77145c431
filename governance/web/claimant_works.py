"""Works that a claimant adds behind the private link: to the case, or beside it once its decision is signed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from governance.errors import GovernanceError
from governance.models import Case, Status
from governance.services import work_files
from governance.services.additions import Added, Where, where
from governance.web import filing_words, media_words
from governance.web.claimant import _private as private
from governance.web.limits import spend
from governance.web.work_forms import WorksForm


@require_http_methods(["GET", "HEAD", "POST"])
@private
def works(request: HttpRequest, case: Case, token: str) -> HttpResponseBase:
    """The works of the case, and more of them."""
    if where(case) is Where.NOWHERE:
        return redirect("status", token=token)
    if request.method != "POST":
        return _page(request, case, token, WorksForm())
    if refused := spend(request, "filing"):
        return refused
    form = WorksForm(request.POST, request.FILES)
    target = _add(request, case, form)
    if not form.is_valid():
        return _page(request, target, target.private_token, form)
    name = "status_works" if "more" in request.POST else "status"
    return redirect(name, token=target.private_token)


def _add(request: HttpRequest, case: Case, form: WorksForm) -> Case:
    """Add what is right, even where another answer is wrong: a page cannot keep files. Where it then stands."""
    items = form.items()
    if not items and not form.readable:
        if form.is_valid():
            form.add_error("files", _("Name at least one work: choose a file, paste a text or write an address."))
        return case
    try:
        added, problems = work_files.works_add(case=case, items=items, files=form.readable)
    except GovernanceError as error:
        added, problems = None, list(error.messages)
    for problem in problems:
        form.add_error(None, problem)
    if added:
        messages.success(request, _arrived(added, case))
    return added.case if added else Case.objects.select_related("claimant").get(pk=case.pk)


def _arrived(added: Added, case: Case) -> str:
    """That works are here, how many, and where; their titles stay out of what a browser keeps of it."""
    n = len(added.items)
    if added.case.pk == case.pk:
        told = ngettext(
            "Your work has arrived and belongs to this request.",
            "%(n)s works have arrived and belong to this request.",
            n,
        )
    else:
        told = ngettext(
            "Your work has arrived. It is a request of its own, with the number %(number)s.",
            "%(n)s works have arrived. They are a request of their own, with the number %(number)s.",
            n,
        )
    return told % {"n": n, "number": added.case.number}


def _page(request: HttpRequest, case: Case, token: str, form: WorksForm) -> HttpResponse:
    lead, note = _words(case)
    context: dict[str, Any] = {
        "form": form,
        "number": case.number,
        "lead": lead,
        "note": note,
        "works": filing_words.claimed(case),
        "media": media_words.rows(),
        "back_url": reverse("status", args=[token]),
        "notice": filing_words.notice(),
    }
    return render(request, "claimant/works_add.html", context, status=422 if form.errors else 200)


def _words(case: Case) -> tuple[str, str]:
    """What becomes of works that are added now: the sentence below the title, and a note where it is not the usual."""
    if where(case) is Where.BESIDE:
        return (
            _("The decision about your first works has begun or is made, and it goes on without new ones."),
            _("What you add now becomes a request of its own, with its own number, page and date for our answer. "
              "You need to show nothing again that you have shown."),
        )  # fmt: skip
    if case.status in (Status.MATCHING, Status.DECISION):
        return _("We look for them in our training data before anybody decides. The date of our answer stays."), ""
    return _("They are treated like those that you named first. The date of our answer stays."), ""
