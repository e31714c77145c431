"""What a stranger takes from outside to check our reports: whom to believe, our checkpoint, that the ledger grew.

None of it needs an account, and none of it names anybody.
"""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from governance.evidence import bundle, tiles
from governance.evidence.errors import SealError
from governance.models import LedgerCheckpoint, SigningKey
from governance.services import bundles, checkpoints, known_keys, seal_ends, witnesses
from governance.web.limits import limited

#: Longer than any ledger's size.
DIGITS = 15
#: A tile's number in groups of three digits, all but the last with an x, and its width where it is not full.
_TILE = re.compile(r"((?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?", re.ASCII)


@require_safe
def trust(request: HttpRequest) -> HttpResponseBase:
    """Our seals and which ended, roots of our time stamps, keys of ledger, feeds, witnesses and model statements."""
    try:
        told = seal_ends.trusted()
    except (SealError, OSError) as error:
        raise Http404 from error
    told["models"] = known_keys.known(SigningKey.Purpose.MODELS) if settings.MODEL_VERIFIER.exists() else []
    told["feeds"] = known_keys.usable(SigningKey.Purpose.FEED) if settings.FEED_VERIFIER.exists() else []
    told["witnesses"] = [one.key for one in witnesses.configured()]
    return _answer(bundle.trust_file(told), "application/json")


@require_safe
def verifier(request: HttpRequest) -> HttpResponseBase:
    """The verifier for strangers, one file for Python 3.11, as it was packed at set-up."""
    return _packed(settings.VERIFIER, "application/octet-stream")


@require_safe
def verifier_digest(request: HttpRequest) -> HttpResponseBase:
    """Its SHA-256, in the form that `sha256sum -c` reads."""
    return _packed(settings.VERIFIER.with_suffix(".pyz.sha256"), "text/plain; charset=utf-8")


def _packed(file: Path, kind: str) -> HttpResponse:
    try:
        return _answer(file.read_bytes(), kind)
    except OSError as error:
        raise Http404 from error


def verifier_told() -> str:
    """The SHA-256 of the verifier that is served; empty where none was packed."""
    try:
        return settings.VERIFIER.with_suffix(".pyz.sha256").read_text().split()[0]
    except (OSError, IndexError):
        return ""


@require_safe
def checkpoint(request: HttpRequest) -> HttpResponseBase:
    """The last checkpoint that was signed, with its cosignatures, as a C2SP signed note: to keep, to compare later."""
    signed = checkpoints.last_signed()
    if signed is None:
        raise Http404
    response = _answer(checkpoints.cosigned(signed).encode(), "text/plain; charset=utf-8")
    response["Cache-Control"] = "public, max-age=5"
    return response


@require_safe
def checkpoint_of(request: HttpRequest, size: int) -> HttpResponseBase:
    """The checkpoint of so many entries, with its cosignatures."""
    return _answer(checkpoints.cosigned(_signed(size)).encode(), "text/plain; charset=utf-8")


@require_safe
def checkpoint_time(request: HttpRequest, size: int) -> HttpResponseBase:
    """When an outside authority saw that checkpoint: an RFC 3161 token over the note as the ledger alone signed it."""
    token = bytes(_signed(size).time)
    if not token:
        raise Http404
    return _answer(token, "application/timestamp-token")


def _signed(size: int) -> LedgerCheckpoint:
    found = checkpoints.last_signed(size) if size < 10**DIGITS else None
    if found is None or found.size != size:
        raise Http404
    return found


@require_safe
def tile(request: HttpRequest, level: str, number: str) -> HttpResponseBase:
    """256 hashes of the tree, or the leaves under them; fewer at the right edge (https://c2sp.org/tlog-tiles)."""
    signed, place = checkpoints.last_signed(), _TILE.fullmatch(number)
    if signed is None or place is None or (level != "entries" and not _is_level(level)):
        raise Http404
    which, width = int(place[1].replace("x", "").replace("/", "")), int(place[2] or tiles.WIDTH)
    floor = 0 if level == "entries" else int(level)
    if tiles.path_of(which) != place[1] or width > tiles.width_of(floor, which, signed.size):
        raise Http404
    if level != "entries":
        data = b"".join(tiles.hashes_of(floor, which, width))
    elif settings.LEDGER_ENTRIES:
        data = tiles.entries_of(which, width)
    else:
        raise Http404
    response = _answer(data, "application/octet-stream")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def _is_level(text: str) -> bool:
    """A level that a ledger can have: decimal, without leading zeros."""
    return text.isascii() and text.isdecimal() and len(text) == 1 and int(text) < tiles.LEVELS


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
    path(".well-known/lethe-verify.pyz", verifier, name="verifier"),
    path(".well-known/lethe-verify.pyz.sha256", verifier_digest, name="verifier_digest"),
    path("ledger/checkpoint", checkpoint, name="ledger_checkpoint"),
    path("ledger/checkpoint/<int:size>", checkpoint_of, name="ledger_checkpoint_of"),
    path("ledger/checkpoint/<int:size>.tst", checkpoint_time, name="ledger_checkpoint_time"),
    path("ledger/tile/<str:level>/<path:number>", tile, name="ledger_tile"),
    path("ledger/consistency.json", consistency, name="ledger_consistency"),
]
