"""A form that is sent twice, by a double click or a reload, acts once; the second is led to where the first one led."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from governance.services.idempotency import Answer, UnderWay, once

#: A second click waits so often, and so many seconds each time, for what the first one does.
LOOKS, PAUSE = 15, 0.2


def sent_once(request: HttpRequest, do: Callable[[], str]) -> str:
    """Do what the form asks, in one transaction, and return the address that it leads to.

    The token against forged requests is drawn anew with each page: the page, its form and what was written there name
    one sending.

    Raises:
        Conflict: the first one is under way for too long. What `do` refuses may be put right and sent again.
    """
    if not request.POST.get("csrfmiddlewaretoken"):
        return do()
    mark = hashlib.sha256(f"{request.path}\n{request.POST.urlencode()}".encode()).hexdigest()
    told = _told(f"person:{request.user.pk}", mark, do)
    if told.replayed:
        messages.info(request, _("This form was sent before, so it was not done a second time."))
    return str(told.body)


def _told(caller: str, mark: str, do: Callable[[], str]) -> Answer:
    for _look in range(LOOKS):
        try:
            return once(caller=caller, key=mark, call=mark.encode(), do=lambda: (302, do()))
        except UnderWay:
            time.sleep(PAUSE)
    return once(caller=caller, key=mark, call=mark.encode(), do=lambda: (302, do()))
