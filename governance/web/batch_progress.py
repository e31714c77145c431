"""The page of a batch behind its private link: how far it is, without a sign-in and without anybody's name."""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from governance.models import Batch, BatchItem
from governance.services import links
from governance.web.limits import limited, spend
from governance.web.way import day

SHOWN = 50


@never_cache
@require_safe
@limited("status", methods=("GET", "HEAD"))
def progress(request: HttpRequest, token: str, public_id: uuid.UUID) -> HttpResponseBase:
    """Counts, and the first lines that were not filed with the reason."""
    batch = links.batch_of(public_id, token)
    if batch is None:
        return _gone(request)
    rows = batch.items.filter(state=BatchItem.State.REFUSED)[:SHOWN]
    refused = [{"position": row.position, "ref": row.ref, "why": gettext(row.why)} for row in rows]
    context = {"batch": batch, "title": _title(batch), "refused": refused, "parts": batch.parts.count(), "token": token,
               "until": day(links.batch_open_until(batch))}  # fmt: skip
    response = render(request, "claimant/batch.html", context)
    response["X-Robots-Tag"] = "noindex"
    return response


def _title(batch: Batch) -> str:
    """Where it stands; at its end it names no work filed that was not."""
    if batch.state != Batch.State.DONE:
        return str(batch.get_state_display())
    if not batch.refused:
        return gettext("Every work is filed.")
    return gettext("Not every work was filed.") if batch.accepted or batch.doubled else gettext("No work was filed.")


@never_cache
@require_POST
@limited("status")
def link_new(request: HttpRequest, token: str, public_id: uuid.UUID) -> HttpResponseBase:
    """Another link in the place of this one, which opens nothing from now on."""
    batch = links.batch_of(public_id, token)
    if batch is None:
        return _gone(request)
    if refused := spend(request, "links"):
        return refused
    links.batch_link_rotate(batch=batch)
    return redirect("batch_progress", token=batch.private_token, public_id=public_id)


def _gone(request: HttpRequest) -> HttpResponseBase:
    """The same for a link that was replaced, ran out, or never was."""
    response = render(request, "claimant/batch_gone.html", status=404)
    response["X-Robots-Tag"] = "noindex"
    return response
