"""The model card of a version or a patch, as Hugging Face reads it. It never claims more than the probes show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from governance.evidence.statements import Test, Thing
from governance.evidence.vocabulary import Verdict

LIMITS: Final = (
    "A verdict speaks of the probes that were run, on the records that they asked about, by the thresholds recorded "
    "before the run. What no probe asked is not known.",
    "A pass of an approximate method does not show that nothing of the records is left in the weights.",
    "The signature shows who states this and that nothing was changed since; it does not show that the measurements "
    "are right.",
)
_VERDICTS: Final = {
    Verdict.PASS: "Pass: every probe that decides passed, by rules that were fixed before the run.",
    Verdict.INCONCLUSIVE: "Inconclusive: too little could be measured to say whether the model stayed within the "
    "margins. This is no pass.",
    Verdict.FAIL: "Fail: at least one probe found more of the records than the policy allows.",
    Verdict.DAMAGED: "Damaged: the model lost more of its ability than the policy allows.",
    Verdict.BAD_INPUT: "No verdict: the verification could not be run as the policy demands.",
}
_GUARANTEES: Final = {
    "exact": "exact by construction, where the report of the case says so; its limits are stated there",
    "certified": "certified within the bounds that the report of the case states",
    "approximate": "approximate: no proof that the weights hold nothing of the records",
}


def slug(name: str) -> str:
    """A name as an identifier of the hub: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "model"


def card(thing: Thing) -> bytes:
    """README.md: metadata as YAML, then words."""
    text = ["---", *_yaml(_metadata(thing)), "---", "", f"# {thing.name}", ""]
    text += [*_words(thing), ""]
    if thing.tests:
        for number, test in enumerate(thing.tests, 1):
            text += [*_tested(number, test), ""]
    else:
        text += ["## Verification", "", "Not tested: this was registered as it is, and no verdict is stated.", ""]
    text += ["## Limits", "", *(f"- {limit}" for limit in LIMITS), ""]
    return "\n".join(text).encode()


def _metadata(thing: Thing) -> dict[str, Any]:
    found: dict[str, Any] = {"tags": ["unlearning", "lethe"], "library_name": "transformers"}
    if thing.base and thing.derived:
        found["base_model"] = slug(thing.base["name"])
    results = [result for test in thing.tests for result in _results(test)]
    if results:
        found["model-index"] = [{"name": slug(thing.name), "results": results}]
    return found


def _results(test: Test) -> Iterator[dict[str, Any]]:
    for probe in test.probes:
        if probe.get("candidate"):
            yield {
                "task": {"type": "text-generation"},
                "dataset": {"type": f"lethe-{probe['family']}", "name": "Records of the verification (not published)"},
                "metrics": [
                    {
                        "type": str(probe["name"]),
                        "name": f"{probe['name']} ({probe['outcome']}; verdict of the whole: {test.verdict.value})",
                        "value": probe["candidate"]["value"],
                        "verified": False,
                    }
                ],
            }


def _words(thing: Thing) -> Iterator[str]:
    what = "An unlearning patch" if thing.kind == "patch" else "A model version"
    yield f"{what} of {thing.model}, stated by {thing.issuer} on {thing.made_at}."
    yield ""
    yield f"- Made by: {thing.origin.method}"
    yield f"- Digest of its files: `sha256:{thing.root}`"
    if thing.weights:
        whose = "the weights that it leads to" if thing.kind == "patch" else "its weights"
        yield f"- Digest of {whose}: `{thing.weights}`"
    if thing.base:
        relation = "Changed from" if thing.derived else "Replaces, trained from fresh weights,"
        yield f"- {relation} {thing.base['name']} (`{thing.base.get('weights') or thing.base.get('artifact', '')}`)"


def _tested(number: int, test: Test) -> Iterator[str]:
    yield f"## Verification {number}: {test.verdict.value.replace('_', ' ')}"
    yield ""
    yield _VERDICTS[test.verdict]
    yield ""
    yield f"- Guarantee of the method: {_GUARANTEES.get(test.guarantee, test.guarantee)}"
    recorded = f"{test.recorded_at} (ledger entry {test.recorded_index})"
    yield f"- Thresholds: policy `{test.policy_digest}`, recorded before the run, {recorded}"
    unproven = test.comparison == "retrained" and not test.proven
    told = "a reference whose training is the issuer's word; nothing proves it" if unproven else test.comparison
    yield f"- Compared with: {told}"
    yield f"- Confidence: {100 * test.confidence:.4g}%"
    if test.left_out:
        yield f"- Attacks of the policy that could not be made: {', '.join(test.left_out)}"
    yield ""
    yield "| Probe | Family | Model | Interval or bounds | n | Limit | Outcome |"
    yield "|---|---|---|---|---|---|---|"
    yield from (_row(probe) for probe in test.probes)
    if test.findings:
        yield ""
        yield "Findings: " + ", ".join(f"{one['code']} ({one['outcome']})" for one in test.findings) + "."


def _row(probe: Mapping[str, Any]) -> str:
    one = probe.get("candidate")
    measured = [f"{one['value']:.4g}", f"{one['low']:.4g} to {one['high']:.4g}", str(one["n"])] if one else ["", "", ""]
    limit = probe.get("limit")
    cells = [probe["name"], probe["family"], *measured, "" if limit is None else f"{limit:.4g}", probe["outcome"]]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _yaml(value: Any, depth: int = 0) -> Iterator[str]:
    """Block YAML of objects and lists; every scalar is JSON, which YAML 1.2 reads as it is."""
    pad = "  " * depth
    pairs = value.items() if isinstance(value, Mapping) else ((None, one) for one in value)
    for name, one in pairs:
        head = f"{pad}- " if name is None else f"{pad}{name}:"
        if not isinstance(one, Mapping | list):
            yield f"{head}{'' if name is None else ' '}{json.dumps(one, ensure_ascii=False)}"
            continue
        lines = list(_yaml(one, depth + 1))
        if name is None:
            yield head + lines[0].lstrip()
            yield from lines[1:]
        else:
            yield head
            yield from lines
