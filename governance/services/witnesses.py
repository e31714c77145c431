"""Witnesses outside of the house see our checkpoints (https://c2sp.org/tlog-witness): we cannot show two ledgers."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from governance import outbound
from governance.errors import Unfit
from governance.evidence import cosignature, ledger, outside_time
from governance.evidence.errors import ProofError
from governance.models import LedgerCheckpoint, LedgerCosignature
from governance.services import checkpoints

log = logging.getLogger(__name__)
#: Whoever installs the house names its witnesses; they may well lie in a network of its own.
ANYWHERE = ("0.0.0.0/0", "::/0")
SIZE_TYPE = "text/x.tlog.size"
CONFLICT, OK = 409, 200


@dataclass(frozen=True)
class Configured:
    """A witness that we ask: its verifier key and the prefix of its addresses."""

    key: str
    url: str


def configured() -> list[Configured]:
    """From `LETHE_WITNESSES`: one a line, verifier key and address.

    Raises:
        Unfit: a line is something else.
    """
    found = []
    for line in settings.WITNESSES.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            key, url = words
            cosignature.witness(key)
        except (ValueError, ProofError) as error:
            raise Unfit(f"LETHE_WITNESSES: {line[:80]!r} is not a verifier key and an address ({error}).") from error
        found.append(Configured(key, url.rstrip("/")))
    return found


def ledger_sign() -> list[str]:
    """Sign what was added, have its time stamped where an authority is configured, show it to every witness.

    Returns what went wrong outside of the house, one sentence each; the next run tries again.

    Raises:
        Unfit: nothing may be signed (`checkpoints.checkpoint_make`).
    """
    if not ledger.size():
        return []
    signed = checkpoints.checkpoint_make()
    problems = witnesses_ask(signed)
    if settings.TSA_URL and not signed.time:
        try:
            token = outside_time.stamp(signed.note.encode(), settings.TSA_URL)
            LedgerCheckpoint.objects.filter(pk=signed.pk, time=b"").update(time=token)
        except ProofError as error:
            log.warning("No time for the checkpoint of %s entries: %s", signed.size, error)
            problems.append(str(error))
    return problems


def witnesses_ask(signed: LedgerCheckpoint) -> list[str]:
    """Show the checkpoint to every witness that has not signed it; returns what went wrong, one sentence each."""
    problems = []
    have = set(signed.cosignatures.values_list("witness", flat=True))
    for one in configured():
        if one.key in have:
            continue
        try:
            _ask(one, signed)
        except (outbound.CallFailed, ProofError) as error:
            name = one.key.split("+", 1)[0]
            log.warning("Witness %s did not sign the checkpoint of %s entries: %s", name, signed.size, error)
            problems.append(f"The witness {name} did not sign: {error}")
    return problems


def _ask(one: Configured, signed: LedgerCheckpoint) -> None:
    last = LedgerCosignature.objects.filter(witness=one.key).order_by("-checkpoint_id").first()
    old = last.checkpoint_id if last else 0
    answer = _send(one, signed, min(old, signed.size))
    kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "")
    if answer.status == CONFLICT and kind == SIZE_TYPE:
        # It knows another size: ours is a restored copy, or its answer got lost on its way.
        told = answer.body.decode("ascii", "replace").strip()
        if not told.isdecimal() or int(told) > signed.size:
            raise ProofError(f"it saw a ledger of {told[:20]} entries; this checkpoint has {signed.size}")
        answer = _send(one, signed, int(told))
    if answer.status != OK:
        raise ProofError(f"it answered {answer.status}")
    for line in answer.body.decode("utf-8", "replace").splitlines():
        if line.split(" ")[1:2] == [one.key.split("+", 1)[0]]:
            at = cosignature.verify(signed.note, line, one.key)
            with transaction.atomic():
                LedgerCosignature.objects.get_or_create(
                    checkpoint=signed, witness=one.key, defaults={"line": line, "at": at}
                )
            return
    raise ProofError("its answer holds no signature of it")


def _send(one: Configured, signed: LedgerCheckpoint, old: int) -> outbound.Answer:
    proof = ledger.tree(signed.size).consistency_proof(old)
    body = cosignature.request(old=old, proof=proof, note=signed.note)
    return outbound.send(f"{one.url}/add-checkpoint", body, {"Content-Type": "text/plain"}, networks=ANYWHERE)
