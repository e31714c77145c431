"""A form that is sent twice, by a double click or a reload, acts once; the second is led to where the first one led."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from governance.services.idempotency import once


def sent_once(request: HttpRequest, do: Callable[[], str]) -> str:
    """Do what the form asks, in one transaction, and return the address that it leads to.

    The token against forged requests is drawn anew with each page: the page, its form and what was written there name
    one sending.

    Raises:
        Conflict: the first one is still under way. What `do` refuses may be put right and sent again.
    """
    if not request.POST.get("csrfmiddlewaretoken"):
        return do()
    mark = hashlib.sha256(f"{request.path}\n{request.POST.urlencode()}".encode()).hexdigest()
    told = once(caller=f"person:{request.user.pk}", key=mark, call=mark.encode(), do=lambda: (302, do()))
    if told.replayed:
        messages.info(request, _("This form was sent before, so it was not done a second time."))
    return str(told.body)
