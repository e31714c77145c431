"""Fingerprints of claimed works, and the filter lists made of them.

The key is the house's own (`fingerprints.key`): the database alone does not allow anyone to test a guess. A filter
list holds no key; a serving system gets it apart (`manage.py filter_list --key`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from governance import dispatch
from governance.errors import Unfit
from governance.evidence import ledger
from governance.models import Case, ClaimedItem, Decision, FilterList, WorkFingerprint
from governance.policies import CONTAINMENT_LEVEL, Actor, Permission, demand
from governance.secrets import read_secret

Form = ClaimedItem.Form
SHINGLE = 8
#: What holds no text of a work, so that nothing can be looked for by it.
WITHOUT_TEXT = (Form.URL, Form.DOMAIN, Form.NUMBER, Form.DIGEST, Form.CONTEXT)
NOTE = (
    "Keyed hashes of word runs. Without the key nothing can be tested against this list; it shows how many works there "
    "are, how long each is and which share passages. With the key anyone can test a guess, so short works such as "
    "names can be found by trying: keep the key as you keep personal data. No text can be computed back from either."
)


def key() -> bytes:
    """The house's key of fingerprints."""
    return read_secret("fingerprints.key")


def take(case: Case) -> int:
    """Fingerprint every work of the case that has text and none yet; how many were made."""
    known = set(case.fingerprints.values_list("item_id", flat=True))
    made = 0
    for item in case.items.exclude(form__in=WITHOUT_TEXT).exclude(pk__in=known):
        found = dispatch.fingerprint(str(item.pk), item.text, key())
        if found is None:
            continue
        WorkFingerprint.objects.create(
            case=case,
            item=item,
            scheme=dispatch.PRINT_SCHEME,
            key_id=dispatch.key_id(key()),
            words=found.words,
            whole=found.whole,
            shingles=bytes.fromhex("".join(found.shingles)),
        )
        made += 1
    return made


def uphold(case: Case) -> None:
    """After the decision: keep the fingerprints of every work that was not refused as a whole."""
    take(case)
    decided = Decision.objects.filter(match__case=case, approved_at__isnull=False)
    matched = set(decided.values_list("match__item_id", flat=True))
    upheld = set(decided.exclude(choice=Decision.Choice.REFUSE).values_list("match__item_id", flat=True))
    case.fingerprints.filter(item_id__in=matched - upheld).delete()
    case.fingerprints.filter(upheld_at=None).update(upheld_at=timezone.now())


def drop(case: Case) -> None:
    """The claim failed: nothing is kept to find the works again."""
    case.fingerprints.all().delete()


def known() -> QuerySet[WorkFingerprint]:
    """Fingerprints by which a work is looked for in new datasets."""
    return WorkFingerprint.objects.filter(scheme=dispatch.PRINT_SCHEME, key_id=dispatch.key_id(key()))


def document(rows: Iterable[WorkFingerprint], *, with_key: bool) -> dict[str, Any]:
    """The rows as the engine reads them; works go by opaque ids."""
    prints = [
        dispatch.Print(id=str(row.public_id), words=row.words, whole=row.whole, shingles=_hex(bytes(row.shingles)))
        for row in rows
    ]
    return dispatch.prints_document(prints, key=key() if with_key else None, named=dispatch.key_id(key()))


def _hex(data: bytes) -> tuple[str, ...]:
    return tuple(data[at : at + SHINGLE].hex() for at in range(0, len(data), SHINGLE))


@transaction.atomic
def filter_list_make(*, actor: Actor) -> FilterList:
    """A new version of the filter list: every work contained or upheld at proof level P2 or more.

    Raises:
        Unfit: there is no such work.
    """
    demand(actor, Permission.EXPORT_LISTS, Permission.RUN_MACHINE)
    rows = known().filter(case__proofs__level__gte=CONTAINMENT_LEVEL).distinct().order_by("public_id")
    works = document(rows, with_key=False)
    if not works["works"]:
        raise Unfit("No work is contained or upheld at proof level P2, so there is nothing to filter.")
    newest = FilterList.objects.aggregate(newest=Max("version"))["newest"] or 0
    made_at = datetime.now(UTC)
    full = {**works, "list_version": newest + 1, "made_at": made_at.isoformat(timespec="seconds"), "note": NOTE}
    artifact = dispatch.put_bytes(dispatch.canonical_text(full).encode())
    made = FilterList.objects.create(
        version=newest + 1, artifact=artifact, works=len(works["works"]), made_at=made_at, made_by=actor.user
    )
    ledger.append(
        action="filter_list.made",
        actor=actor,
        body={"version": made.version, "list": artifact, "works": made.works, "key_id": works["key_id"]},
    )
    return made
