"""What a plan says in plain words, and the measurements that it says it from. Standard library only.

A reason is a code and its values, so that a page can say it in another language; `text` is the English of it. A
measurement names its source; what is not here was not measured, and the planner says that instead of a guess.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field

_ZOO, _LOG = "docs/zoo.json", "docs/experiments.md"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """In `bad` of `of` runs a method was seen through, in `open_` of them nothing was settled.

    `what` is "relearning" (it came back when other facts were trained again) or "verdict" (the whole verification).
    `family` is the name in the zoo, empty elsewhere.
    """

    method: str
    what: str
    bad: int
    of: int
    source: str
    open_: int = 0
    family: str = ""

    @property
    def held(self) -> int:
        """Runs in which it held."""
        return self.of - self.bad - self.open_


#: All on models of 0.66 million parameters with fixed settings; larger models were not measured.
MEASURED: tuple[Measured, ...] = (
    # After ten epochs of relearning the choice probe stood at .40-.48, in retrained models at .12-.18.
    Measured(method="graddiff", what="relearning", bad=4, of=4, source=_LOG),
    Measured(method="graddiff", what="verdict", bad=8, of=8, source=_ZOO, family="gradient difference"),
    # Under the policy's relearning, on ten forget sets; that of UNDO left the model too hurt to say on seven.
    Measured(method="relabel", what="relearning", bad=8, of=10, open_=2, source=_LOG),
    Measured(method="undo", what="relearning", bad=0, of=10, open_=7, source=_LOG),
    Measured(method="npo", what="relearning", bad=42, of=42, source=_ZOO, family="preference (NPO)"),
    Measured(method="npo", what="verdict", bad=42, of=42, source=_ZOO, family="preference (NPO)"),
    Measured(method="rmu", what="verdict", bad=42, of=42, source=_ZOO, family="steering (RMU)"),
    Measured(method="retrain", what="verdict", bad=0, of=126, open_=13, source=_ZOO, family="retrained"),
)


def measured(method: str, what: str) -> Measured | None:
    """What is known of a method; None where nothing was measured."""
    return next((one for one in MEASURED if one.method == method and one.what == what), None)


def chance(method: str) -> float | None:
    """Chance that a run passes its verification: (held + 1) / (runs + 2), Laplace's rule, over whole verifications.

    None for a method of which no whole verification is on record.
    """
    known = measured(method, "verdict")
    return (known.held + 1) / (known.of + 2) if known else None


def inside(title: str) -> str:
    """A title within a sentence; abbreviations stay as they are."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


#: English of every reason, by its code.
SENTENCES: Mapping[str, str] = types.MappingProxyType(
    {
        # Risk
        "risk_relearning": "Relearning brought it back in %(bad)s of %(of)s of our measurements (%(source)s).",
        "risk_verdict": "It failed its verification in %(bad)s of %(of)s of our measurements (%(source)s).",
        "risk_none": "No measurement: nobody has tried here whether what it removes comes back.",
        "risk_small": "They were made on small models; nothing larger was measured.",
        "risk_open": "In %(open)s of %(of)s honest retrainings the probes settled nothing, in %(bad)s they failed it "
        "(%(source)s).",
        "risk_exact": "What was trained again never saw the records; only the probes can still be undecided.",
        "risk_certified": "The certificate holds where the run finds its conditions true, and is refused where not.",
        # Why a candidate stands where it does
        "why_cheaper_first": "The house tries what is cheaper first. If it fails, %(fallback)s is left.",
        "why_cheapest": "Nothing else that can run is cheaper.",
        "why_fallback": "It stands behind what is cheaper, and takes over where that fails.",
        "why_sure": "It gives the strongest guarantee of all that can run.",
        "why_last_attempt": "The budget allows one more attempt, which goes to what needs no luck.",
        "why_behind_last": "The budget allows one more attempt, and this one may fail.",
        "why_no_cheaper": "It costs no less than %(other)s, which is exact.",
        "why_one_run_only": "There is time for one attempt before the deadline, and this one may fail.",
        "why_expected": "Until something holds, %(mine)s are expected this way and %(other)s by way of %(exact)s.",
        "why_less_likely": "By our measurements it is less likely to hold than %(other)s.",
        "why_no_better": "By our measurements it is no likelier to hold than %(other)s, and it is not cheaper.",
        "why_unmeasured": "Fewer than %(least)s measurements: no machine proposes it, but a person may choose it.",
        "why_late": "It would end after the deadline, by %(late)s.",
        "why_lineage": "The model has a lineage: what learned from the records is trained again, and nothing else.",
        "why_same_bits": "It gives the same bits as %(other)s, and is for a lineage whose checkpoints are damaged.",
        "why_sampled": "Nothing else can be read: what it holds is sampled from the model itself.",
        "why_serves": "One run serves %(n)s requests that wait for the same version.",
        "why_corrected": "Its time is corrected by %(factor)s, the median of past runs (%(runs)s).",
        # Why a method cannot run
        "no_allowed": "The policy of the house does not allow it.",
        "no_guarantee": "Its guarantee is %(guarantee)s; the house asks for %(minimum)s at least.",
        "no_second_look": "It was tried already (%(verdict)s); the same candidate is never looked at twice.",
        "no_weaker": "Something with a stronger guarantee has failed already.",
        "no_lineage_left": "It would edit the weights and so end the lineage, from which later requests are deleted.",
        "no_need": "It needs what is not there: %(needs)s.",
        "no_seconds": "It would take %(needed)s; %(left)s of the budget are left.",
        "no_money": "It would cost %(needed)s; %(left)s of the budget are left.",
        # Why nothing is left
        "end_judged": "An exact method was judged already; another run would only be a second look.",
        "end_attempts": "All attempts are used up that were allowed before the first run (%(n)s).",
        "end_seconds": "The time is used up that was allowed before the first run.",
        "end_money": "The money is used up that was allowed before the first run.",
        "end_nothing": "No method is left that can run.",
        # What is not known of a cost
        "no_cost": "No measurement of its cost.",
        "no_parameters": "The size of the model is not known.",
        "no_tokens": "The length of the records is not known.",
        "no_epochs": "How long the model was trained is not known.",
    }
)


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One reason: a key of `SENTENCES` with its values, already in words."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The reason as an English sentence."""
        return SENTENCES[self.code] % self.values


def reason(code: str, **values: object) -> Reason:
    """A reason with its values as text."""
    return Reason(code=code, values={name: str(value) for name, value in values.items()})


def duration(seconds: float) -> str:
    """`45 s`, `1.9 min`, `12 min`, `3.5 h`, `2.1 d`."""
    for limit, unit, size in ((90, "s", 1), (90 * 60, "min", 60), (48 * 3600, "h", 3600)):
        if seconds < limit:
            value = seconds / size
            fine = value < 1 or (unit != "s" and value < 10)
            return f"{value:.1f} {unit}" if fine else f"{value:.0f} {unit}"
    return f"{seconds / 86400:.1f} d"


def risks(method: str, guarantee: str) -> tuple[Reason, ...]:
    """What may go wrong with a method, from measurements."""
    known = measured(method, "verdict")
    if guarantee == "exact":
        if known is None:
            return (reason("risk_exact"),)
        return (reason("risk_open", open=known.open_, bad=known.bad, of=known.of, source=known.source),)
    found = [
        reason(f"risk_{one.what}", bad=one.bad, of=one.of, source=one.source)
        for one in MEASURED
        if one.method == method
    ]
    if found:
        return (*found, reason("risk_small"))
    return (reason("risk_certified"),) if guarantee == "certified" else (reason("risk_none"),)
