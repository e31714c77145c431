"""The shard map: where a lineage's records lie, and which stages a deletion trains again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

#: Rows drawn; of more shards, those that are affected stand first.
DRAWN = 24
KEPT, AGAIN, PLAIN = "kept", "again", "plain"


def count(n: float) -> str:
    """`1,234`."""
    return number_format(round(n), force_grouping=True)


def percent(share: float) -> str:
    """`9.4%`; what is not nothing is never written as nothing."""
    value = share * 100
    decimals = 0 if value >= 99.95 or value == 0 else 1 if value >= 1 else 2
    # The formatter cuts decimals off, so that the number is rounded before.
    return f"{number_format(round(value, decimals), decimal_pos=decimals, force_grouping=True)}%"


def shard_name(shard: int) -> str:
    """As the lineage's folder names it."""
    return f"shard-{shard:02d}"


def shard_map(counts: Sequence[Sequence[int]], first_slices: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Values of `components/shards.html`. `first_slices` (shard, from 0, to slice, from 0) are trained again."""
    again = {int(shard): number for shard, number in (first_slices or {}).items()}
    order = sorted(range(len(counts)), key=lambda shard: (shard not in again, shard))[:DRAWN]
    most = max((n for row in counts for n in row), default=0)
    rows = [
        {
            "name": shard_name(shard),
            "affected": shard in again,
            "cells": [
                {"records": count(n), "value": n, "high": most, "state": _state(again, shard, number)}
                for number, n in enumerate(counts[shard])
            ],
            "total": count(sum(counts[shard])),
        }
        for shard in sorted(order)
    ]
    hidden = len(counts) - len(rows)
    return {
        "slices": range(1, len(counts[0]) + 1 if counts else 1),
        "rows": rows,
        "marked": bool(again),
        "sentence": _sentence(counts, again),
        "more": ngettext("%(n)d more shard is not drawn.", "%(n)d more shards are not drawn.", hidden) % {"n": hidden}
        if hidden
        else "",
    }


def _state(again: Mapping[int, int], shard: int, number: int) -> str:
    if shard not in again:
        return PLAIN
    return AGAIN if number >= again[shard] else KEPT


def _sentence(counts: Sequence[Sequence[int]], again: Mapping[int, int]) -> str:
    slices = len(counts[0]) if counts else 0
    if not again:
        shards = ngettext("%(n)d shard", "%(n)d shards", len(counts)) % {"n": len(counts)}
        return _("%(records)s records in %(shards)s of %(slices)d slices.") % {
            "records": count(sum(map(sum, counts))), "shards": shards, "slices": slices}  # fmt: skip
    stages = sum(slices - number for number in again.values())
    words = ngettext("%(n)d of %(all)d stages is trained again", "%(n)d of %(all)d stages are trained again", stages)
    return words % {"n": stages, "all": slices * len(counts)} + _(", in %(hit)d of %(shards)d shards.") % {
        "hit": len(again), "shards": len(counts)}  # fmt: skip


def stage_words(first_slices: Mapping[str, int]) -> str:
    """`shard-00 from slice 2, shard-03 from slice 1`."""
    parts = [
        _("%(shard)s from slice %(n)d") % {"shard": shard_name(int(shard)), "n": number + 1}
        for shard, number in sorted(first_slices.items(), key=lambda item: int(item[0]))
    ]
    return ", ".join(parts[:8]) + (_(" and %(n)d more") % {"n": len(parts) - 8} if len(parts) > 8 else "")


def cost_facts(deletion: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a plan's deletion takes, beside training it all again and beside each request alone."""
    passes, whole, alone = (deletion[n] for n in ("passes", "retraining_passes", "one_by_one_passes"))
    facts = [
        (_("Trains again"), stage_words(deletion["first_slices"])),
        (_("Sample passes"), _("%(n)s, %(share)s of the lineage's training") % {
            "n": count(passes), "share": percent(deletion["share"])}),
        (_("Beside retraining"), _("%(n)s sample passes: %(times)s") % {
            "n": count(whole), "times": times(whole, passes)}),
    ]  # fmt: skip
    if deletion["cases"] > 1:
        one_pass = _("%(records)s records of %(cases)d requests; one by one %(n)s sample passes: %(times)s") % {
            "records": count(deletion["records"]), "cases": deletion["cases"], "n": count(alone),
            "times": times(alone, passes)}  # fmt: skip
        facts.append((_("In one pass"), one_pass))
    return facts


def times(other: float, passes: float) -> str:
    """How many times as much another way takes."""
    if not passes:
        return _("this way nothing is trained")
    return _("%(x)s times as much") % {"x": number_format(round(other / passes, 1), decimal_pos=1)}
