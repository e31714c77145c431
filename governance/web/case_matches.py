"""Hits as the officer reads them: grouped by work, the passages side by side, personal data masked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.kinds import rule
from governance.models import Case, ClaimedItem, Decision, Match
from governance.policies import Actor, may_read
from governance.services import codes
from governance.validators import number_in
from governance.web.thumbnails import thumbnail

#: Passages are shown up to so many characters; of a longer work the stretch that holds the agreement.
SHOWN = 900
#: More hits of one work by the dataset's own label than this are one line.
FOLDED = 3
MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
PHONE = re.compile(r"\+?\d[\d ()/-]{6,}\d")


def masked(case: Case, text: str) -> str:
    """The text with the claimant's name, and in a case about a person any address or number, as `[[kind]]`."""
    if rule(case.kind).personal:
        text = PHONE.sub("[[telephone]]", MAIL.sub("[[e-mail]]", text))
        name = case.claimant.name.strip()
        for part in sorted({name, *(p for p in name.split() if len(p) > 2)}, key=len, reverse=True):
            text = re.sub(rf"\b{re.escape(part)}\b", "[[name]]", text, flags=re.IGNORECASE)
    return text


def free_text(case: Case, text: str, actor: Actor) -> str:
    """What somebody of the staff wrote in their own words, for those who may read what it is about."""
    if text and not may_read(case, actor):
        return _("Read by legal officers and approvers only.")
    return masked(case, text).replace("[[", "").replace("]]", "")


def item_title(case: Case, item: ClaimedItem, actor: Actor) -> str:
    """Title of a work; a fact is only numbered for those who may not read it."""
    if may_read(case, actor):
        return masked(case, item.title) or _("Work %(n)d") % {"n": item.position}
    return _("Fact %(n)d") % {"n": item.position}


def passage(text: str, other: str) -> str:
    """The stretch of a long text around the first run of words that the other text shares with it."""
    if len(text) <= SHOWN:
        return text
    words = other.split()
    places = (text.find(" ".join(words[i : i + 4])) for i in range(max(1, len(words) - 3)))
    at = max(0, next((place for place in places if place >= 0), 0) - SHOWN // 4)
    start = text.find(" ", at) + 1 if at else 0
    cut = text[start : start + SHOWN].rsplit(" ", 1)[0]
    return f"{'… ' if start else ''}{cut}{' …' if start + SHOWN < len(text) else ''}"


def source(case: Case, hit: Match) -> str:
    """Where the record came from; in a case about a person its site alone, since paths like to name the person."""
    address = hit.record.source_url
    if not rule(case.kind).personal or not address:
        return address
    return urlsplit(address).hostname or _("an address that may name the person")


def agreement(hit: Match) -> str:
    """How the hit was found, with its score."""
    if hit.method == Match.Method.SAME_WORK:
        return _("same work, by the dataset's label")
    words = hit.get_method_display().lower()
    return words if hit.score is None or hit.method == Match.Method.EXACT else f"{words}, {hit.score:.2f}"


def _hit(case: Case, number: int, hit: Match, actor: Actor, sent: Mapping[str, str]) -> dict[str, Any]:
    """One row; whether it is the hit that is read, `groups` says."""
    decision: Decision | None = getattr(hit, "decision", None)
    against = codes.exception_words(case, decision.exception) if decision and decision.exception else ""
    return {
        "number": number,
        "pk": hit.pk,
        "record": hit.record.record_id,
        "url": f"?tab=matches&hit={number}",
        "agreement": agreement(hit),
        "proposed": decision.get_choice_display() if decision else "",
        "law": against or decision.ground if decision else "",
        "reason": free_text(case, decision.reason, actor) if decision else "",
        "own": {name: sent.get(f"{name}_{hit.pk}", "") for name in ("hit", "ground", "code", "why")},
    }


def groups(
    case: Case,
    hits: list[Match],
    actor: Actor,
    current: Match | None,
    *,
    sent: Mapping[str, str] | None = None,
    first: int = 1,
    paper: bool = False,
) -> list[dict[str, Any]]:
    """The hits by work, numbered from `first`. Many that only the dataset's label brings stand folded in one line; on
    paper, where nothing unfolds, neighbours of which the same is said share a row."""
    found: dict[int, dict[str, Any]] = {}
    for number, hit in enumerate(hits, first):
        group = found.setdefault(
            hit.item_id, {"title": item_title(case, hit.item, actor), "hits": [], "folded": [], "datasets": set()}
        )
        same = hit.method == Match.Method.SAME_WORK
        row = {**_hit(case, number, hit, actor, sent or {}), "current": current is not None and hit.pk == current.pk}
        group["folded" if same else "hits"].append(row)
        group["datasets"].add(hit.record.dataset.name)
    for group in found.values():
        if paper or len(group["folded"]) <= FOLDED:
            group["hits"] += group["folded"]
            group["folded"] = []
        n = len(group["hits"]) + len(group["folded"])
        group["note"] = (
            ngettext("%(n)d record", "%(n)d records", n) % {"n": n} + ", " + ", ".join(sorted(group["datasets"]))
        )
        group["folded_note"] = ngettext(
            "%(n)d further record of the same work, by the dataset's label",
            "%(n)d further records of the same work, by the dataset's label",
            len(group["folded"]),
        ) % {"n": len(group["folded"])}
        group["folded_proposed"] = ", ".join(sorted({h["proposed"] for h in group["folded"] if h["proposed"]}))
        if paper:
            group["rows"] = list(_alike(group["hits"]))
    return list(found.values())


def _alike(hits: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row for neighbours that were found and decided in the same way: their numbers, and all of their records."""
    for _said, together in groupby(hits, key=itemgetter("agreement", "proposed", "law", "reason")):
        rows = list(together)
        numbers = f"{rows[0]['number']}–{rows[-1]['number']}" if len(rows) > 1 else str(rows[0]["number"])
        yield {**rows[0], "numbers": numbers, "records": ", ".join(row["record"] for row in rows)}


def shown(case: Case, hits: list[Match], actor: Actor, wanted: str) -> tuple[Match | None, dict[str, Any] | None]:
    """The hit whose passages stand side by side: the one asked for, else the first with an excerpt."""
    number = number_in(wanted) or 0
    number = number if number <= len(hits) else 0
    if not number:
        number = next((n for n, hit in enumerate(hits, 1) if hit.method != Match.Method.SAME_WORK), 1 if hits else 0)
    if not number:
        return None, None
    hit = hits[number - 1]
    if not may_read(case, actor):
        return hit, None
    claimed, excerpt = hit.item.text, hit.excerpt
    shared = _("%(shared)d of %(of)d") % {"shared": hit.shared, "of": hit.of} if hit.shared and hit.of else ""
    counted = _("The two passages share %(shared)s five-word sequences, counted exactly.") % {"shared": shared}
    return hit, {
        "number": number,
        "compared": not thumbnail(claimed) and not thumbnail(excerpt),
        "title": _("Match %(n)d of %(total)d: %(how)s") % {"n": number, "total": len(hits), "how": agreement(hit)},
        "note": counted if shared else "",
        "left": {
            "title": _("What the claimant sent"),
            "note": item_title(case, hit.item, actor).replace("[[", "").replace("]]", ""),
            "image": thumbnail(claimed),
            "text": "" if thumbnail(claimed) else masked(case, passage(claimed, excerpt)),
        },
        "right": {
            "title": _("Training record"),
            "code": hit.record.record_id,
            "note": ", ".join(filter(None, [hit.record.dataset.name, source(case, hit), hit.record.licence])),
            "image": thumbnail(excerpt),
            "text": ""
            if thumbnail(excerpt)
            else masked(case, passage(excerpt or _("No excerpt is kept of this record."), claimed)),
        },
        "foot": _("Masked words agree letter for letter.") if rule(case.kind).personal else "",
        "previous_url": f"?tab=matches&hit={number - 1}" if number > 1 else "",
        "next_url": f"?tab=matches&hit={number + 1}" if number < len(hits) else "",
    }


def on_paper(case: Case, hits: list[Match], actor: Actor) -> list[dict[str, Any]]:
    """Every hit that has a passage of its own beside its work, in their order."""
    found = []
    for number, hit in enumerate(hits, 1):
        if hit.method != Match.Method.SAME_WORK:
            _hit_of, match = shown(case, hits, actor, str(number))
            found += [match] if match else []
    return found
