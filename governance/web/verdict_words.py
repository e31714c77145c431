"""What stood behind a verdict: what was compared, which attacks were made, which thresholds ruled."""

from __future__ import annotations

import dataclasses
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from governance import dispatch
from governance.evidence import outcomes, policy_words
from governance.evidence.wording import finding_sentences
from governance.models import Plan, Verification
from governance.services import verification_policies
from governance.web.probes import margin_words

Context = dict[str, Any]


def behind(verification: Verification) -> Context:
    """Context of `_behind.html`, and why the plan failed or, where nothing failed, what would decide open probes."""
    document = verification.document
    beyond = [one for one in document["findings"] if one["code"] == "beyond_margin"]
    return {
        "failed": finding_sentences(beyond),
        "deciding": [] if beyond else outcomes.deciding(document),
        "compared": outcomes.comparison_words(document),
        "made": [{"name": _title(name), "note": _summary(name)} for name in outcomes.attacks_made(document)],
        "left_out": [
            {"name": words[:1].upper() + words[1:], "note": why} for words, why in outcomes.attacks_left_out(document)
        ],
        "policy": policy_of(verification.plan),
    }


def _title(name: str) -> str:
    return dispatch.ATTACKS[name].title if name in dispatch.ATTACKS else outcomes.attack_words(name)


def _summary(name: str) -> str:
    return dispatch.ATTACKS[name].summary if name in dispatch.ATTACKS else ""


def policy_of(plan: Plan) -> Context:
    """A plan's thresholds: whose they are, and where they make passing easier than the engine's own policy."""
    house = verification_policies.of_plan(plan.policy_digest)
    changes = dispatch.policy_changes(dispatch.whole_policy({}), plan.policy)
    facts: list[Any] = [{"label": _("Digest"), "value": plan.policy_digest, "digest": True}]
    if house is None:
        facts.insert(0, (_("Policy"), _("the engine's own, %(name)s %(n)s") % {
            "name": plan.policy.get("name", ""), "n": plan.policy.get("version", "")}))  # fmt: skip
        return {"facts": facts, "lines": margin_words(plan.policy), "eased": []}
    said = {"who": house.approved_by, "day": date_format(house.approved_at, "j F Y") if house.approved_at else ""}
    link = {"label": _("Policy"), "value": _("the house's own, version %(n)d") % {"n": house.version},
            "url": reverse("policies")}  # fmt: skip
    facts[:0] = [link, (_("Approved"), _("%(who)s, %(day)s") % said), (_("Why"), house.reason)]
    return {
        "facts": facts,
        "lines": margin_words(plan.policy),
        "eased": policy_words.eased(map(dataclasses.asdict, changes)),
        "eased_word": _("easier to pass than the engine's own policy:"),
    }
