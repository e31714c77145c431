"""The desk around the queue: search that keeps addresses out of addresses, saved filters."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from governance.errors import GovernanceError
from governance.policies import Actor, Permission, may
from governance.selectors import queue as select
from governance.services.filters import filter_drop, filter_save, plain_query
from governance.tokens import email_mark
from governance.validators import number_in
from governance.web.guards import staff

P = Permission


@require_POST
@staff(P.SEE_CASES)
def find(request: HttpRequest) -> HttpResponseBase:
    """One field for number, record and e-mail address. It is sent as a form, so that no address of a person stands in
    the address of a page, in a log or in a history: there it is a keyed hash."""
    actor, words = Actor.of(request.user), request.POST.get("q", "").strip()
    if "@" in words:
        if not may(actor, P.REVEAL_PERSON):
            messages.warning(request, _("Searching by e-mail address is for legal officers and approvers."))
            return redirect("cases")
        return redirect(f"{reverse('cases')}?{urlencode({'person': email_mark(words)})}")
    if not words:
        return redirect("cases")
    exact = select.search(actor, words).filter(number=words.upper()).first()
    if exact:
        return redirect("case", public_id=exact.public_id)
    return redirect(f"{reverse('cases')}?{urlencode({'q': words[:120]})}")


@require_POST
@staff(P.SEE_CASES)
def filter_keep(request: HttpRequest) -> HttpResponseBase:
    """Save what the queue shows now under a name."""
    query = plain_query(request.POST.get("query", ""))
    try:
        kept = filter_save(
            name=request.POST.get("name", ""), query=query, shared=bool(request.POST.get("shared")),
            actor=Actor.of(request.user),
        )  # fmt: skip
        messages.success(request, _("“%(name)s” stands among the saved filters.") % {"name": kept.name})
    except GovernanceError as error:
        for problem in error.messages:
            messages.error(request, problem)
    return redirect(f"{reverse('cases')}?{query}")


@require_POST
@staff(P.SEE_CASES)
def filter_remove(request: HttpRequest) -> HttpResponseBase:
    """Remove one of one's own filters."""
    wanted = number_in(request.POST.get("filter", ""))
    try:
        filter_drop(pk=wanted or 0, actor=Actor.of(request.user))
        messages.success(request, _("The filter is removed."))
    except GovernanceError as error:
        for problem in error.messages:
            messages.error(request, problem)
    return redirect("cases")
