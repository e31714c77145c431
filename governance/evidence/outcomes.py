"""What a verification says in sentences, the same on the page and in the report.

One sentence per verdict, what kind of comparison stood behind it and what that can and cannot show, which attacks were
made and which were not, and what would decide what is not decided. Everything is computed from the engine's findings;
nothing here judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from governance.evidence import said
from governance.evidence.numerals import level, number
from governance.evidence.vocabulary import Comparison, Verdict
from governance.evidence.wording import ATTACKS, probe_title

Probe = Mapping[str, Any]
Found = Mapping[str, Any]
#: Groups of probes in the order in which they are read.
GROUPS: Mapping[str, Any] = {
    "plain": gettext_lazy("Asked plainly"),
    "attacks": gettext_lazy("Under attack"),
    "survivors": gettext_lazy("Single works and facts that may have stayed"),
    "utility": gettext_lazy("What must stay"),
}
#: A wording that no model was trained on is an attack, though what it measures is memorisation.
_ATTACK_PROBES = frozenset({"paraphrase_value"})
_BEYOND = ("fail", "damaged")


def group_of(probe: Probe) -> str:
    """The group of `GROUPS` that a probe is shown in."""
    name, family = str(probe["name"]), str(probe["family"])
    if family == "utility":
        return "utility"
    if name.startswith("surviving_") or name.endswith("_works"):
        return "survivors"
    return "attacks" if family == "robustness" or name in _ATTACK_PROBES else "plain"


def comparison_of(found: Found) -> Comparison:
    """What the candidate was compared with; `found` is the engine's document or the evidence's member."""
    return Comparison(found.get("comparison") or found["reference_kind"])


def lineage_of(found: Found) -> str:
    """What is known about how the reference came to be: "proven", "unproven", or "" where nothing is said."""
    told = found.get("reference_lineage")
    if isinstance(told, Mapping):
        told = told.get("state") or {True: "proven", False: "unproven"}.get(bool(told.get("proven")))
    return str(told) if told in ("proven", "unproven") else ""


def unattacked(found: Found) -> str:
    """What none of the attacks that were made, or not each of them, reached; empty where they reached everything."""
    return " ".join(filter(None, (_texts_unattacked(found), plainly(found))))


def _texts_unattacked(found: Found) -> str:
    """That running texts went through none of the attacks that were made; empty where there were no texts."""
    if not found["attacks"] or all(one["name"] != "verbatim_text" for one in found["probes"]):
        return ""
    return _("Running texts were only asked for; no attack was tried on them.")


def plainly(found: Found) -> str:
    """Of how many facts the wording of an attack did not fit around the question; empty where it fitted always."""
    told = [
        _("%(attack)s: %(plain)s of %(facts)s")
        % {"attack": attack_words(name), "plain": number(plain), "facts": number(facts)}
        for name, (plain, facts) in _plain(found).items()
        if 0 < plain < facts
    ]
    if not told:
        return ""
    text = _("Facts that were asked plainly within an attack, since its wording does not fit beside them: %(told)s.")
    return text % {"told": "; ".join(told)}


def _plain(found: Found) -> dict[str, tuple[int, int]]:
    """Attack -> how many facts it did not reword for the candidate, of how many; only where this was counted."""
    runs = [one for one in found["attacks"] if "plain_facts" in one and one.get("model", "candidate") == "candidate"]
    return {str(one.get("attack") or one["name"]): (one["plain_facts"], one["forget_facts"]) for one in runs}


def unmade(found: Found) -> list[str]:
    """Attacks of which the wording fitted around none of the facts: nothing was asked under them."""
    return [name for name, (plain, facts) in _plain(found).items() if plain >= facts]


def attack_words(name: str) -> str:
    """An attack as people call it within a sentence."""
    return str(ATTACKS.get(name, name.replace("_", " ")))


def attacks_made(found: Found) -> list[str]:
    """Names of the attacks that were made, each once, in the order of the policy."""
    named = dict.fromkeys(str(one.get("attack") or one["name"]) for one in found["attacks"])
    return [name for name in named if name not in unmade(found)]


def listed(names: Iterable[str]) -> str:
    """`a, b and c`."""
    words = list(names)
    return _("%(most)s and %(last)s") % {"most": _(", ").join(words[:-1]), "last": words[-1]} if words[1:] else words[0]


def verdict_sentence(found: Found, *, confidence: float) -> str:
    """The one sentence that this verdict allows."""
    verdict = Verdict(found["verdict"])
    if verdict is Verdict.PASS:
        return _passed(found, confidence)
    if verdict is Verdict.FAIL:
        return _failed(found["probes"])
    if verdict is Verdict.DAMAGED:
        return _("Damaged: the changed model lost what it had to keep. What it no longer says shows nothing.")
    if verdict is Verdict.INCONCLUSIVE:
        return _("Inconclusive: the measurements settle nothing, and nothing is concluded from them.")
    return _("No verdict: what the probes were given could not be judged.")


def _passed(found: Found, confidence: float) -> str:
    tested = Counter(group_of(probe) for probe in found["probes"] if probe["outcome"] != "reported")
    made = listed(map(attack_words, attacks_made(found))) if attacks_made(found) else ""
    text = _passed_after(found) if made else _passed_unattacked(found)
    compared = tested["plain"] + tested["attacks"]
    told = text % {"n": compared, "confidence": level(confidence), "names": made}
    said_of_all = (
        told,
        unattacked(found),
        _kept(tested["utility"]),
        _("That is a measurement, not a proof of absence."),
    )
    return " ".join(filter(None, said_of_all))


def _kept(count: int) -> str:
    """How many probes passed by a floor, not by a margin; empty where none did."""
    return _("Probes of what had to stay, above their floors: %(n)d.") % {"n": count} if count else ""


def _passed_after(found: Found) -> str:
    if comparison_of(found) is Comparison.CONTROLS:
        return _(
            "The changed model treats what was to be unlearned like never-seen material of the same kind, within "
            "the margins of all %(n)d probes that have one, with %(confidence)s confidence, after these attacks: "
            "%(names)s."
        )
    if lineage_of(found) != "proven":
        return _(
            "The changed model differs from the reference by less than the margins of all %(n)d probes that have one, "
            "with %(confidence)s confidence, after these attacks: %(names)s. How the reference was trained is the "
            "issuer's word."
        )
    return _(
        "The changed model differs from one that was never trained on the records by less than the margins of all "
        "%(n)d probes that have one, with %(confidence)s confidence, after these attacks: %(names)s."
    )


def _passed_unattacked(found: Found) -> str:
    if comparison_of(found) is Comparison.CONTROLS:
        return _(
            "The changed model treats what was to be unlearned like never-seen material of the same kind, within "
            "the margins of all %(n)d probes that have one, with %(confidence)s confidence, without any attack having "
            "been tried."
        )
    if lineage_of(found) != "proven":
        return _(
            "The changed model differs from the reference by less than the margins of all %(n)d probes that have one, "
            "with %(confidence)s confidence, without any attack having been tried. How the reference was trained is "
            "the issuer's word."
        )
    return _(
        "The changed model differs from one that was never trained on the records by less than the margins of all "
        "%(n)d probes that have one, with %(confidence)s confidence, without any attack having been tried."
    )


def _failed(probes: Sequence[Probe]) -> str:
    """Whether it is only hidden, still there, or something else was lost."""
    beyond = [probe for probe in probes if probe["outcome"] in _BEYOND]
    knows = [probe for probe in beyond if group_of(probe) != "utility"]
    ways = [_attack_of(probe) for probe in knows if _attack_of(probe)]
    silent = all(p["outcome"] in ("pass", "reported") for p in probes if group_of(p) != "utility" and not _attack_of(p))
    if ways and silent:
        text = _("Suppressed, recoverable by %(ways)s: asked plainly it is silent, attacked it answers.")
        return text % {"ways": listed(dict.fromkeys(ways))}
    if not knows:
        return _("Not achieved: the changed model kept too little of what had to stay.")
    count = len(knows)
    return ngettext(
        "Not achieved: %(n)d probe shows that the model still knows more than it may.",
        "Not achieved: %(n)d probes show that the model still knows more than it may.",
        count,
    ) % {"n": count}


def _attack_of(probe: Probe) -> str:
    """The attack that a probe belongs to, in words; empty for a probe that asks plainly."""
    name = str(probe["name"]).replace("relearned_", "relearning_")
    found = next((attack for attack in ATTACKS if name.startswith(f"{attack}_")), "")
    return attack_words(found) if found else ""


def comparison_words(found: Found) -> list[str]:
    """What the changed model was compared with, what that can show, and what it cannot."""
    if comparison_of(found) is Comparison.CONTROLS:
        return [
            _(
                "Compared with never-seen controls: items of the same kind on which, by the issuer's own record, no "
                "version was trained."
            ),
            _("They show whether the material of the request stands out against what the model never saw."),
            _(
                "They cannot show what a model without the records would know from elsewhere, and they are only as "
                "good as their likeness to the material of the request."
            ),
        ]
    proven = lineage_of(found) == "proven"
    told = [
        _("Compared with a reference: a model of the same kind that was trained without the records.")
        if proven
        else _("Compared with a reference: a model that the issuer says was trained without the records."),
        _("It shows what such a model answers to the same probes all the same, also when it is attacked."),
    ]
    return [*told, _lineage_words(lineage_of(found))]


def _lineage_words(lineage: str) -> str:
    if lineage == "proven":
        return _(
            "That the records are not in the reference follows from the issuer's own record of its training, its "
            "lineage."
        )
    return _(
        "Nothing proves how the reference was trained; that it never saw the records is the issuer's word. So it "
        "cannot show more than how far the two models lie apart."
    )


def attacks_left_out(found: Found) -> list[tuple[str, str]]:
    """Attacks that were not made, each with why: not named by the policy, or not possible on these models."""
    impossible = dict(found.get("attacks_not_applicable") or {})
    left = [(attack_words(name), said.printed(str(reason))) for name, reason in impossible.items()]
    left += [(attack_words(name), _("its wording fits beside none of the facts")) for name in unmade(found)]
    left += [(attack_words(name), _("not named by the policy")) for name in found.get("attacks_not_named") or ()]
    return left


def deciding(found: Found) -> list[str]:
    """What would decide each probe that is not decided, in words."""
    lines = []
    for probe in found["probes"]:
        if probe["outcome"] != "inconclusive":
            continue
        needed, asked = probe.get("items_needed"), probe["candidate"]["n"]
        text = (
            _("%(probe)s: about %(needed)s independent facts would decide; %(asked)s were asked.")
            if needed
            else _("%(probe)s: no number of further facts would decide at the value found; %(asked)s were asked.")
        )
        values = {"probe": probe_title(probe["name"]), "needed": number(needed or 0), "asked": number(asked)}
        lines.append(text % values)
    return lines
