"""Samples of cases for an audit: the auditor states what is to be drawn; the ledger up to that statement decides.

The auditor cannot know its root when they choose their text, since the statement's own entry is in it. The house cannot
know the draw, unless it was given the text and tried entries: an auditor who does not trust it gives the text's SHA-256
and tells the text when a checkpoint holds the statement. Which checkpoint that is changes nothing, so nobody can choose
one. Each statement stands in the ledger with its number: who would state again until a sample pleases is seen to.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

import rfc8785
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, Unfit
from governance.evidence import ledger, sampling
from governance.models import AuditSample, Case, LedgerCheckpoint, SigningKey, Status
from governance.policies import Actor, Permission, demand
from governance.selectors.paging import Page, of_days, page
from governance.services import checkpoints, known_keys

#: Cases drawn of each stratum, and cases in a list, at most.
MOST, LARGEST = 500, 500_000
SHORTEST_TEXT = 8
#: Statements on a page.
SIZE = 50
_DIGEST = re.compile(r"[0-9a-f]{64}")
DATES = ("received_on", "closed_at")


def population_of(narrowed: dict[str, str], strata: str) -> list[sampling.Member]:
    """The cases from which is drawn, each with its stratum."""
    first, last = date.fromisoformat(narrowed["from"]), date.fromisoformat(narrowed["to"])
    if narrowed["date"] == "closed_at":
        rows = of_days(Case.objects.exclude(closed_at=None), "closed_at", first, last)
    else:
        rows = Case.objects.filter(received_on__gte=first, received_on__lte=last)
    rows = rows.filter(**{name: narrowed[name] for name in ("kind", "law") if narrowed.get(name)})
    if state := narrowed.get("state"):
        rows = rows.filter(status=Status.CLOSED) if state == "closed" else rows.exclude(status=Status.CLOSED)
    named = rows.order_by("number").values_list("number", strata or "number")[: LARGEST + 1]
    return [(number, str(stratum) if strata else "") for number, stratum in named]


@transaction.atomic
def sample_state(*, n: int, narrowed: dict[str, str], strata: str, text: str, actor: Actor) -> AuditSample:
    """Fix what is to be drawn. `text` is the auditor's own, or its SHA-256 where they keep it to themselves until then.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: every fault of what was stated, in sentences.
    """
    demand(actor, Permission.AUDIT)
    said = text.strip()
    if problems := _problems(n, narrowed, strata, said):
        raise Unfit(problems)
    listed = population_of(narrowed, strata)
    if not 0 < len(listed) <= LARGEST:
        raise Unfit(
            f"More than {LARGEST:,} cases answer to this; narrow the period."
            if listed else "No case answers to this: widen the period or the filters."
        )  # fmt: skip
    if actor.user is None:
        raise Unfit("A person draws a sample.")
    kept = _DIGEST.fullmatch(said) is not None
    number = (AuditSample.objects.aggregate(last=Max("number"))["last"] or 0) + 1
    population = dispatch.put_bytes(sampling.population(listed))
    commitment = said if kept else sampling.commitment(said)
    body = {"sample": number, "n": n, "narrowed": narrowed, "strata": strata, "cases": len(listed),
            "population": population, "commitment": commitment}  # fmt: skip
    entry = ledger.append(action="sample.stated", actor=actor, body=body)
    try:
        with transaction.atomic():
            return AuditSample.objects.create(
                number=number, by=actor.user, n=n, narrowed=narrowed, strata=strata, population=population,
                size=len(listed), commitment=commitment, text="" if kept else said, entry=entry.index,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict("Somebody else stated a sample at this moment; send yours again.") from error


def _problems(n: int, narrowed: dict[str, str], strata: str, text: str) -> list[str]:
    problems = []
    if not 0 < n <= MOST:
        problems.append(f"{n:,} cases: choose between 1 and {MOST}.")
    if narrowed["date"] not in DATES or strata not in AuditSample.Strata.values:
        problems.append("Choose the date and the groups from the lists.")
    if narrowed["from"] > narrowed["to"]:
        problems.append("The period ends before it begins.")
    if len(text) < SHORTEST_TEXT:
        problems.append(
            f"Your own text has {len(text)} characters; write at least {SHORTEST_TEXT} that nobody guesses."
        )
    return problems


def root_of(sample: AuditSample) -> bytes:
    """What decides: the root of the ledger up to the statement, which no later entry changes."""
    return ledger.tree(sample.entry + 1).root()


def holding(sample: AuditSample) -> LedgerCheckpoint | None:
    """The first signed checkpoint that holds the statement, of those that a witness signed where the house has any."""
    signed = LedgerCheckpoint.objects.exclude(note="").filter(size__gt=sample.entry)
    if settings.WITNESSES.strip():
        signed = signed.filter(cosignatures__isnull=False)
    return signed.order_by("size").first()


def waits_for(sample: AuditSample) -> str:
    """Why the sample cannot be drawn yet; empty when it can."""
    if holding(sample) is not None:
        return ""
    if settings.WITNESSES.strip():
        return "A witness outside of the house has yet to sign a checkpoint that holds the statement."
    return "The ledger's next checkpoint has to hold the statement; the signing worker makes it within a minute."


@transaction.atomic
def sample_draw(*, sample: AuditSample, text: str, actor: Actor) -> AuditSample:
    """Draw, once. `text` is asked where only its digest was stated.

    Raises:
        NotAllowed: the policy refuses the actor.
        Conflict: drawn already, or no checkpoint holds the statement yet.
        Unfit: the text is not the one whose digest was stated.
    """
    demand(actor, Permission.AUDIT)
    head = holding(sample)
    if head is None:
        raise Conflict(waits_for(sample))
    told = sample.text or text.strip()
    if sampling.commitment(told) != sample.commitment:
        raise Unfit("This is not the text whose SHA-256 you stated; write it to the last character.")
    seed = sampling.seed(root_of(sample), told)
    drawn = sampling.draw(sampling.members(dispatch.read_bytes(sample.population)), sample.n, seed)
    columns = {"text": told, "checkpoint": head.size, "seed": seed, "drawn": [list(one) for one in drawn],
               "drawn_at": timezone.now()}  # fmt: skip
    if not AuditSample.objects.filter(pk=sample.pk, drawn_at=None).update(**columns):
        raise Conflict("This sample is drawn already.")
    digest = dispatch.bytes_digest(sampling.population(drawn))
    body = {"sample": sample.number, "checkpoint": head.size, "seed": seed, "cases": len(drawn), "drawn": digest}
    ledger.append(action="sample.drawn", actor=actor, body=body)
    sample.refresh_from_db()
    return sample


def check_file(sample: AuditSample) -> bytes:
    """Everything that a stranger needs to draw again (`python -m lethe_verify sample-1.json`), in canonical form.

    Raises:
        Conflict: the sample is not drawn yet, or was by an earlier rule.
    """
    head = LedgerCheckpoint.objects.filter(size=sample.checkpoint).first() if sample.checkpoint else None
    if head is None:
        raise Conflict("This sample is not drawn yet.")
    if known_keys.signer_of(head.note) not in known_keys.usable(SigningKey.Purpose.LEDGER):
        head = checkpoints.last_signed() or head
    root = root_of(sample)
    if sampling.seed(root, sample.text) != sample.seed:
        raise Conflict(
            f"This sample was drawn by an earlier rule than {sampling.FORMAT}, so no file of today's shows its draw. "
            "State a new one."
        )
    content: dict[str, Any] = {
        "format": sampling.FORMAT,
        "verifier_key": known_keys.signer_of(head.note),
        "checkpoint": checkpoints.cosigned(head),
        "witnesses": [one.witness for one in head.cosignatures.all()],
        "entries": checkpoints.entries_proven([sample.entry], head.size),
        "root": root.hex(),
        "consistency": [node.hex() for node in ledger.tree(head.size).consistency_proof(sample.entry + 1)],
        "text": sample.text,
        "seed": sample.seed,
        "population": [list(one) for one in sampling.members(dispatch.read_bytes(sample.population))],
        "drawn": sample.drawn,
    }
    return rfc8785.dumps(content)


def samples_page(before: int | None = None) -> Page[AuditSample]:
    """The newest statements, those below the number `before`."""
    rows = AuditSample.objects.select_related("by").order_by("-number")
    return page(rows if before is None else rows.filter(number__lt=before), SIZE)


def drawn_at(number: int, seed: str) -> datetime | None:
    """When the sample of this number was drawn by a seed that begins so, or has these first and last eight digits, as
    pages shorten it; None where none was."""
    named = Q(seed__startswith=seed)
    if len(seed) == 16:
        named |= Q(seed__startswith=seed[:8], seed__endswith=seed[8:])
    found = AuditSample.objects.filter(named, number=number).exclude(drawn_at=None).first() if seed else None
    return found.drawn_at if found else None


def drawn_count() -> int:
    """How many samples are drawn."""
    return AuditSample.objects.exclude(drawn_at=None).count()
