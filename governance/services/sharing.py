"""Fingerprints of works in the public feed: only where the claimant agreed, only once two people upheld the claim.

Whoever reads the feed hashes their own texts with its public key and compares. So anybody can test a guess, and a short
work would be guessed: it stays out. A long one is told by its smallest hashes alone, which are a fair sample of all.
"""

from __future__ import annotations

import re

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from governance import dispatch, screening
from governance.errors import Conflict
from governance.evidence import ledger
from governance.models import Case, ClaimedItem, Decision, Feed, FeedConsent, Kind, SharedPrint
from governance.policies import Actor, Permission, demand, proof_unlocks_containment
from governance.services import feed_pages, fingerprints

#: Published on purpose: with it everybody computes the same hashes.
PUBLIC_KEY = b"lethe public opt-out feed, key 1"
#: Hashes of one work; a work of as many shingles or fewer is told whole.
SAMPLE = 1024
#: A file that is a work, as `work_reading.mark_of` names it.
_FILE = re.compile(r"(sha256:[0-9a-f]{64}) \((\w+), ")
_MEDIA = screening.KINDS.keys() - {"text", "zip"}


def consent_of(case: Case) -> FeedConsent | None:
    """The consent that stands; None where none was given, or it was taken back."""
    return FeedConsent.objects.filter(case=case, ended_at=None).first()


def consent_give(*, case: Case, actor: Actor) -> FeedConsent | None:
    """Given with the request itself. Only works have fingerprints that are told: no fact about a person ever is."""
    if case.kind != Kind.COPYRIGHT:
        return None
    row = FeedConsent.objects.create(case=case)
    ledger.append(action="sharing.agreed", actor=actor, case=case)
    return row


@transaction.atomic
def consent_end(*, case: Case, actor: Actor) -> int:
    """The claimant takes it back: their fingerprints leave the feed at once. Returns how many.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: there is no consent that stands.
    """
    demand(actor, Permission.END_SHARING)
    if not FeedConsent.objects.filter(case=case, ended_at=None).update(ended_at=timezone.now()):
        raise Conflict(f"No fingerprint of case {case.number} is given to others.")
    gone = drop(case)
    ledger.append(action="sharing.ended", actor=actor, case=case, body={"prints": gone})
    return gone


def publish(case: Case) -> int:
    """After the decision: what was upheld is told, where the claimant agreed and showed that it is theirs; how many.

    Within the transaction of the decision.
    """
    # Locked: a consent that ends meanwhile ends before this, or after it and takes these prints with it.
    consent = FeedConsent.objects.select_for_update().filter(case=case, ended_at=None).first()
    decided = set(Decision.objects.filter(match__case=case).values_list("choice", flat=True))
    if consent is None or not proof_unlocks_containment(case) or decided == {Decision.Choice.REFUSE}:
        return 0
    upheld = set(case.fingerprints.exclude(upheld_at=None).values_list("item_id", flat=True))
    rows = [
        row
        for item in case.items.filter(shared=None)
        if (row := _of_text(item) if item.pk in upheld else _of_file(item))
    ]
    for row in rows:
        row.consent = consent
    made = SharedPrint.objects.bulk_create(rows)
    feed_pages.changed(Feed.WORKS, [row.pk for row in made])
    return len(made)


def prints() -> QuerySet[SharedPrint]:
    """What the feed tells: only what stands under a consent that stands."""
    return SharedPrint.objects.filter(consent__ended_at=None)


@transaction.atomic
def drop(case: Case) -> int:
    """Nothing of the case is told any more, from this moment on; how many fingerprints were."""
    told = SharedPrint.objects.filter(consent__case=case)
    feed_pages.taken_back(Feed.WORKS, told.values_list("pk", flat=True))
    return told.delete()[0]


def _of_text(item: ClaimedItem) -> SharedPrint | None:
    found = dispatch.fingerprint(str(item.pk), item.text, PUBLIC_KEY)
    if found is None or found.short:
        return None
    kept = bytes.fromhex("".join(found.shingles[:SAMPLE]))
    return SharedPrint(item=item, words=found.words, whole=found.whole, shingles=kept, total=len(found.shingles))


def _of_file(item: ClaimedItem) -> SharedPrint | None:
    """Of pictures and recordings. A text that still waits for the scanner is a file too, and short ones are guessed."""
    found = _FILE.match(item.text) if item.form == ClaimedItem.Form.DIGEST else None
    return SharedPrint(item=item, digest=found[1]) if found and found[2].casefold() in _MEDIA else None


def told(row: SharedPrint) -> dict[str, object]:
    """A fingerprint as the feed tells it."""
    if row.digest:
        return {"file": row.digest}
    size = fingerprints.SHINGLE
    data = bytes(row.shingles)
    return {
        "scheme": dispatch.PRINT_SCHEME,
        "key": PUBLIC_KEY.hex(),
        "words": row.words,
        "whole": row.whole,
        "shingles": [data[at : at + size].hex() for at in range(0, len(data), size)],
        "shingles_total": row.total,
    }
