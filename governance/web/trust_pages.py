"""What a stranger takes from outside to check our reports: whom to believe, our checkpoint, that the ledger grew.

None of it needs an account, and none of it names anybody.
"""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from governance.evidence import bundle
from governance.evidence.errors import SealError
from governance.evidence.identity import certificate_fingerprint
from governance.services import bundles
from governance.web.limits import limited

#: Longer than any ledger's size.
DIGITS = 15


@require_safe
def trust(request: HttpRequest) -> HttpResponseBase:
    """Fingerprint of our seal and key of our ledger, in the form that `lethe_verify --trust` reads."""
    try:
        seal, key = certificate_fingerprint(settings.SEAL_CERTIFICATE), settings.LEDGER_VERIFIER.read_text().strip()
    except (SealError, OSError) as error:
        raise Http404 from error
    return _answer(bundle.trust_file(seal=seal, ledger=key), "application/json")


@require_safe
@limited("pages", methods=("GET", "HEAD"))
def checkpoint(request: HttpRequest) -> HttpResponseBase:
    """The last checkpoint that was signed, as a C2SP signed note: to keep, and to compare later."""
    note = bundles.last_checkpoint()
    if note is None:
        raise Http404
    return _answer(note.encode(), "text/plain; charset=utf-8")


@require_safe
@limited("verify", methods=("GET", "HEAD"))
def consistency(request: HttpRequest) -> HttpResponseBase:
    """The proof that the ledger of `new` entries begins with that of `old` (RFC 9162, 2.1.4)."""
    sizes = [request.GET.get(name, "") for name in ("old", "new")]
    if not all(one.isascii() and one.isdecimal() and len(one) <= DIGITS for one in sizes):
        raise Http404
    proof = bundles.consistency(old=int(sizes[0]), new=int(sizes[1]))
    if proof is None:
        raise Http404
    return _answer(proof, "application/json")


def _answer(data: bytes, kind: str) -> HttpResponse:
    response = HttpResponse(data, content_type=kind)
    response["X-Content-Type-Options"] = "nosniff"
    return response


patterns: list[URLPattern] = [
    path(".well-known/lethe-trust.json", trust, name="trust"),
    path("ledger/checkpoint.txt", checkpoint, name="ledger_checkpoint"),
    path("ledger/consistency.json", consistency, name="ledger_consistency"),
]
