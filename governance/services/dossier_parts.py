"""Parts of a case's evidence that every kind of report about it has: what is named, clocks, data sets, error rates."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from governance.clocks import LAWS, rows
from governance.errors import KeyDestroyed
from governance.evidence import error_rates, leaf, matching_rates, wording
from governance.kinds import rule
from governance.models import (
    Case,
    CaseClock,
    ClaimedItem,
    Dataset,
    Decision,
    Job,
    Kind,
    LedgerOpening,
    PatchPublication,
    Plan,
    Record,
)
from governance.selectors import downstream as select
from governance.services import codes, learned
from governance.services.fingerprints import WITHOUT_TEXT

#: Laws of places where paper is US Letter.
LETTER_LAWS = ("ccpa", "us_", "quebec")


def sheet(case: Case) -> str:
    """The size of paper of the place whose law runs."""
    return "Letter" if case.law.startswith(LETTER_LAWS) else "A4"


def words_told(case: Case, own: bool) -> bool:
    """Whether a paper holds what was written about a private person: only one that is their `own` does."""
    return own or not rule(case.kind).personal


def items(case: Case, *, own: bool = False) -> list[dict[str, str]]:
    """What the claimant names; facts about a private person by their number, save on a paper of their own. What came
    without a text, and so was not looked for, says what it is instead."""
    rows_ = case.items.exclude(form=ClaimedItem.Form.CONTEXT)
    told = words_told(case, own)
    return [
        {
            "title": one.title if told else wording.fact(one.position),
            **({"without_text": one.form} if one.form in WITHOUT_TEXT else {}),
        }
        for one in rows_
    ]


def decided(case: Case, *, own: bool = False) -> str:
    """On which ground hits were refused or left out, with the officer's words; these stay out of what others than a
    private person read, which names the exception instead."""
    found = Decision.objects.filter(match__case=case)
    if words_told(case, own):
        return " ".join(dict.fromkeys(f"{one.ground}: {one.reason}" for one in found.worded() if one.reason))
    left = found.filter(choice__in=(Decision.Choice.REFUSE, Decision.Choice.EXCLUDE)).exclude(ground="")
    codes_ = dict.fromkeys(left.order_by("match").values_list("ground", "exception"))
    return " ".join(
        f"Ground: {ground}; exception: {codes.exception_place(case, code)}." if code else f"Ground: {ground}."
        for ground, code in codes_
    )


def items_accepted(case: Case) -> int:
    """Of how much that is named at least one record was accepted to be unlearned."""
    found = case.matches.filter(decision__choice=Decision.Choice.ERASE).exclude(item__form=ClaimedItem.Form.CONTEXT)
    return found.values("item").distinct().count()


def rates(case: Case) -> dict[str, Any]:
    """How often verdict and search err, where that was measured; the search was on works, so for opt-outs alone."""
    found = {"error_rates": error_rates.measured(),
             "matching_rates": matching_rates.measured() if case.kind == Kind.COPYRIGHT else None}  # fmt: skip
    return {name: one for name, one in found.items() if one}


def clocks(case: Case, *, own: bool = False) -> list[dict[str, Any]]:
    """Each clock of the case: its dates and what moved them, in the officer's words where these may be told."""
    found = list(case.clocks.select_related("extension").prefetch_related("pauses")) or [rows.first_of(case)]
    return [_clock(one, told=words_told(case, own)) for one in found]


def _clock(clock: CaseClock, *, told: bool) -> dict[str, Any]:
    pauses = list(clock.pauses.all()) if clock.pk else []
    spans = [(one.last_at or timezone.now()) - one.first_at for one in pauses]
    return {
        "law": LAWS[clock.law].title,
        "received_on": timezone.localtime(clock.received_at).date().isoformat(),
        "due": clock.due.isoformat(),
        "extended_due": clock.extended_due.isoformat() if clock.extended_due else None,
        "extended_why": _why(clock) if told else "",
        "paused_days": sum(spans, timedelta()).days,
        "pauses": len(pauses),
        "ended_because": clock.ended_because if told or not clock.ended_because else "–",
    }


def _why(clock: CaseClock) -> str:
    """The reasons that the claimant was told; empty where there was no extension or its words are gone."""
    extension = getattr(clock, "extension", None) if clock.pk else None
    try:
        return str(extension.reasons) if extension else ""
    except KeyDestroyed:
        return ""


def data_sets(case: Case) -> dict[str, Any]:
    """The training data sets that were searched for this case, and those registered since, in which nobody looked.

    What counts is that the engine ended a search: each asks for every named text in every set that is there by then.
    How many records it looked through is the engine's count where the ledger has it.
    """
    found = searches(case)
    counted = {one["dataset"]: one["records"] for one in found if "records" in one}
    done = case.jobs.filter(kind="engine.match", state=Job.State.SUCCEEDED).values_list("key", flat=True)
    searched = {int(key.rpartition(":")[2]) for key in done}
    rows_: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for one in Dataset.objects.filter(purpose=Dataset.Purpose.TRAINING).order_by("id"):
        there = counted.get(one.artifact)
        records = Record.objects.filter(dataset=one).count() if there is None else there
        rows_[one.pk in searched].append({"name": one.name, "digest": one.artifact, "records": records})
    told = {"searched": sum(row["records"] for row in rows_[True]), "data_sets": rows_[True]}
    more = {"searches": found, "later": rows_[False] if searched else []}
    return {**told, **{name: rows for name, rows in more.items() if rows}}


def searches(case: Case) -> list[dict[str, Any]]:
    """The entries that were written when searches of this case ended, opened: none of them can follow a decision."""
    rows_ = LedgerOpening.objects.filter(case=case, entry__action="matching.finished").select_related("entry")
    return [
        {"index": one.entry_id, "at": leaf.timestamp(one.entry.at), **one.body} for one in rows_.order_by("entry_id")
    ]


def others(case: Case, plan: Plan | None) -> dict[str, Any]:
    """Versions that learned the records and that the report does not look at; nothing where there are none."""
    found = learned.others(case, plan)
    return {"others": found} if found else {}


def reference_made(found: dict[str, Any]) -> str:
    """How the laboratory's reference came to be: told as known only where its lineage is proven."""
    if found.get("reference_lineage") == "proven":
        return "retrained in the laboratory from its own seed without the records; it is never released"
    return "registered as trained without the records, which is the issuer's word; it is never released"


def downstream(case: Case) -> dict[str, Any]:
    """Whoever runs the version before elsewhere: which patch was published, and what each subscriber stated, with the
    signed statement itself; an empty part where nothing was released, or nobody subscribes and nothing was published.
    """
    after = case.release.version if hasattr(case, "release") else None
    if after is None or after.parent is None:
        return {}
    found = select.standing(after.parent, after)
    if found.publication is None and not found.subscribers:
        return {}
    patch = _published(found.publication) if found.publication else None
    # Each was taken for the feeds' key of its day. Where that was replaced between two of them, both are named.
    feeds = sorted({json.loads(one.word.statement)["feed"] for one in found.subscribers if one.word})
    told = {"feeds": feeds} if len(feeds) > 1 else {}
    return {"downstream": {"patch": patch, **told, "subscribers": [_standing(one) for one in found.subscribers]}}


def _published(row: PatchPublication) -> dict[str, Any]:
    gone = row.withdrawal
    ended = {"at": leaf.timestamp(gone.approved_at), "reason": gone.reason} if gone and gone.approved_at else None
    at = leaf.timestamp(row.approved_at) if row.approved_at else ""
    return {"digest": row.patch.digest, "base": row.base, "result": row.result, "published_at": at, "withdrawn": ended}


def _standing(one: select.Standing) -> dict[str, Any]:
    told = {"name": one.subscriber.name, "state": one.state, "since": leaf.timestamp(one.since) if one.since else None}
    return {**told, "statement": one.word.statement, "signature": one.word.signature} if one.word else told
