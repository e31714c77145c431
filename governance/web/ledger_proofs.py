"""One entry of the ledger with its proofs as pictures, what they prove in words, and the commands that do the same."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from governance.evidence import ledger, proof_steps, tiles
from governance.evidence.errors import ProofError
from governance.models import LedgerCheckpoint, LedgerEntry
from governance.policies import Actor, Permission
from governance.selectors import ledger as select
from governance.services import checkpoints
from governance.web import case_history, ledger_picture
from governance.web.guards import staff

Context = dict[str, Any]
#: Longer than any ledger's size.
DIGITS = 15


@require_safe
@staff(Permission.SEE_LEDGER)
def ledger_proof(request: HttpRequest, index: int) -> HttpResponseBase:
    """The proof that the entry is in the signed ledger, and that the ledger only grew since it was first signed."""
    try:
        entry = select.entry_get(Actor.of(request.user), index)
    except LedgerEntry.DoesNotExist as error:
        raise Http404 from error
    signed = checkpoints.last_signed()
    signed = signed if signed and signed.size > index else None
    size = signed.size if signed else ledger.size()
    tree = ledger.tree(size)
    steps = proof_steps.of_inclusion(leaf=bytes(entry.hash), index=index, size=size, proof=tree.inclusion_proof(index))
    holds = steps.root == (bytes(signed.root) if signed else tree.root())
    words = {"index": _n(index), "size": _n(size)}
    context = {
        "conclusion": _("Entry %(index)s is in the ledger of %(size)s entries") % words
        if holds
        else _("Entry %(index)s does not lead to the root of %(size)s entries") % words,
        "holds": holds,
        "facts": _facts(entry, signed),
        "picture": ledger_picture.inclusion(steps, size),
        "grown": _grown(request, index, size),
        "commands": [f"python manage.py ledger prove {index}"],
        "json_url": reverse("ledger_entry", args=[index]),
        "signed": signed,
        **_around(index),
    }
    return render(request, "auditor/proof.html", context)


def _around(index: int) -> Context:
    """The ways to the entries beside this one."""
    return {
        "before_url": reverse("ledger_proof", args=[index - 1]) if index else "",
        "after_url": reverse("ledger_proof", args=[index + 1]) if index + 1 < ledger.size() else "",
        "list_url": f"{reverse('ledger')}?entry={index}",
    }


def _facts(entry: LedgerEntry, signed: LedgerCheckpoint | None) -> list[Context]:
    opening = getattr(entry, "opening", None)
    rows: list[Context] = [
        {"label": _("Written"), "value": date_format(timezone.localtime(entry.at), "j M Y, H:i:s")},
        {"label": _("What"), "value": case_history.words(entry.action, opening.body) if opening else entry.action},
        {"label": _("Leaf hash"), "value": bytes(entry.hash).hex(), "digest": True},
    ]
    if signed is None:
        return [*rows, {"label": _("Signed"), "value": _("not yet: the signing worker does it every minute")}]
    seen = signed.cosignatures.count()
    rows += [
        {"label": _("Signed root"), "value": bytes(signed.root).hex(), "digest": True},
        {"label": _("Signed"), "value": date_format(timezone.localtime(signed.made_at), "j M Y, H:i")},
        {"label": _("Witnesses"), "value": ngettext("%(n)d signed it too", "%(n)d signed it too", seen) % {"n": seen}},
    ]
    return [*rows, {"label": _("Outside time"), "value": _("a time stamp lies over it")}] if signed.time else rows


def _grown(request: HttpRequest, index: int, size: int) -> Context:
    """The proof between two sizes: those asked for, else from the first signed ledger with the entry to the last."""
    first = LedgerCheckpoint.objects.exclude(note="").filter(size__gt=index, size__lt=size).order_by("size").first()
    given = [request.GET.get(name, "").strip() for name in ("old", "new")]
    found: Context = {"old": given[0] or (first.size if first else ""), "new": given[1] or size}
    if not any(given) and first is None:
        return found
    problem = _("Write two sizes, the first smaller than the second, of at most %(size)s entries.") % {
        "size": _n(ledger.size())
    }
    if not all(str(found[name]).isdecimal() and len(str(found[name])) <= DIGITS for name in ("old", "new")):
        return {**found, "problem": problem}
    old, new = int(found["old"]), int(found["new"])
    if not 0 < old < new <= ledger.size():
        return {**found, "problem": problem}
    tree = ledger.tree(new)
    try:
        steps = proof_steps.of_consistency(old=old, new=new, old_root=tree.root(old), proof=tree.consistency_proof(old))
    except ProofError as error:
        return {**found, "problem": str(error)}
    return {
        **found,
        "holds": steps.old_root == _root(old, tree) and steps.root == _root(new, tree),
        "picture": ledger_picture.consistency(steps, old, new),
        "commands": [
            f"python manage.py ledger consistency {old} {new}",
            f'curl "{settings.BASE_URL}{reverse("ledger_consistency")}?old={old}&new={new}"',
        ],
    }


def _root(size: int, tree: tiles.StoredTree) -> bytes:
    """The root that was signed at this size, else the one that the entries have now."""
    known = LedgerCheckpoint.objects.exclude(note="").filter(size=size).first()
    return bytes(known.root) if known else tree.root(size)


def _n(number: int) -> str:
    return str(number_format(number, force_grouping=True))
