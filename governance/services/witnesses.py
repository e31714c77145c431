"""Witnesses outside of the house see our checkpoints (https://c2sp.org/tlog-witness): we cannot show two ledgers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from governance import outbound
from governance.errors import Unfit
from governance.evidence import cosignature, ledger, outside_time
from governance.evidence.errors import ProofError, SealUnavailable
from governance.models import LedgerCheckpoint, LedgerCosignature, LedgerWitness
from governance.services import checkpoints

log = logging.getLogger(__name__)
#: Whoever installs the house names its witnesses; they may well lie in a network of its own.
ANYWHERE = ("0.0.0.0/0", "::/0")
SIZE_TYPE = "text/x.tlog.size"
CONFLICT, OK = 409, 200
#: After a failure, doubled with each further one up to so many times as long.
PAUSE, LONGEST = timedelta(minutes=1), 32


@dataclass(frozen=True)
class Configured:
    """A witness that we ask: its verifier key and the prefix of its addresses."""

    key: str
    url: str

    @property
    def name(self) -> str:
        """What it calls itself."""
        return self.key.split("+", 1)[0]


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
    try:
        signed = checkpoints.checkpoint_make()
    except SealUnavailable as error:
        log.warning("The ledger's checkpoint waits for its key: %s", error)
        return list(error.problems)
    problems = witnesses_ask(signed)
    try:
        checkpoint_time(signed)
    except ProofError as error:
        log.warning("No time for the checkpoint of %s entries: %s", signed.size, error)
        problems.append(str(error))
    return problems


def checkpoint_time(signed: LedgerCheckpoint) -> bytes:
    """The outside time over a signed checkpoint, asked for where there is none yet; empty without an authority.

    Raises:
        ProofError: the authority did not answer, or refused.
    """
    if settings.TSA_URL and not signed.time:
        token = outside_time.stamp(signed.note.encode(), settings.TSA_URL)
        LedgerCheckpoint.objects.filter(pk=signed.pk, time=b"").update(time=token)
        signed.refresh_from_db(fields=["time"])
    return bytes(signed.time)


def witnesses_ask(signed: LedgerCheckpoint) -> list[str]:
    """Show the checkpoint to every witness that has not signed it; returns what went wrong, one sentence each.

    One that failed is left alone for a while, longer after each failure: who is down is not asked every minute, and
    does not hold up the signing worker. When it answers again it signs the newest checkpoint, with the proof that the
    ledger only grew since the last that it saw.
    """
    problems = []
    have = set(signed.cosignatures.values_list("witness", flat=True))
    tries = {row.witness: row for row in LedgerWitness.objects.all()}
    for one in configured():
        if one.key in have:
            continue
        row = tries.get(one.key) or LedgerWitness(witness=one.key)
        if row.failed and row.next_at > timezone.now():
            problems.append(f"The witness {one.name} waits until {row.next_at:%H:%M} UTC: {row.problem}")
            continue
        row.tried_at = row.next_at = timezone.now()
        try:
            _ask(one, signed)
            row.failed, row.problem = 0, ""
        except (outbound.CallFailed, ProofError) as error:
            log.warning("Witness %s did not sign the checkpoint of %s entries: %s", one.name, signed.size, error)
            row.failed, row.problem = row.failed + 1, str(error)[:300]
            row.next_at += PAUSE * min(2 ** (row.failed - 1), LONGEST)
            problems.append(f"The witness {one.name} did not sign: {error}")
        row.save()
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
