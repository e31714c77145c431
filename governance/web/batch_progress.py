"""The page of a batch behind its private link: how far it is, without a sign-in and without anybody's name."""

from __future__ import annotations

import hmac
import uuid

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from governance.models import Batch, BatchItem
from governance.tokens import link_token
from governance.web.limits import limited

SHOWN = 50


@never_cache
@require_safe
@limited("status", methods=("GET", "HEAD"))
def progress(request: HttpRequest, token: str, public_id: uuid.UUID) -> HttpResponseBase:
    """Counts, and the first lines that were not filed with the reason."""
    if not hmac.compare_digest(token, link_token(public_id, "batch")):
        raise Http404
    batch = Batch.objects.select_related("agent").filter(public_id=public_id).first()
    if batch is None:
        raise Http404
    refused = batch.items.filter(state=BatchItem.State.REFUSED)[:SHOWN]
    context = {"batch": batch, "refused": refused, "parts": batch.parts.count()}
    response = render(request, "claimant/batch.html", context)
    response["X-Robots-Tag"] = "noindex"
    return response
