"""Over every combination of outcome: either one honest statement, or a refusal to print any."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re

import pytest

from governance.evidence.errors import ContradictionError
from governance.evidence.sentences import Construction, Facts, Statement, allowed, statement
from governance.evidence.vocabulary import Comparison, Disposition, Guarantee, Kind, Service, Verdict, service_of

RETRAINED = Construction(fresh_weights=True, records_left_out=150, tokenizer_independent=True)
TABLE = list(itertools.product(Verdict, Guarantee, Disposition, Service))
GONE = re.compile(r"forg[oe]t|remov|erase|delet|gone|no longer|purg|unlearned", re.IGNORECASE)
EXACT = re.compile(r"\bexact", re.IGNORECASE)


def facts(
    verdict: Verdict = Verdict.PASS,
    guarantee: Guarantee = Guarantee.EXACT,
    disposition: Disposition = Disposition.FULFILLED,
    service: Service = Service.REPLACED,
) -> Facts:
    return Facts(
        verdict=verdict, guarantee=guarantee, disposition=disposition, service=service, model="Lumen",
        before="Lumen revision 1", after="Lumen revision 2", items=25, records=150, probes=8, attacks=1,
        deployments=2, construction=RETRAINED if guarantee is Guarantee.EXACT else None,
    )  # fmt: skip


def variants(base: Facts) -> list[Facts]:
    """The same outcome with every fact that may change a sentence."""
    broken = [None] if base.construction is None else [
        RETRAINED, None, dataclasses.replace(RETRAINED, fresh_weights=False),
        dataclasses.replace(RETRAINED, tokenizer_independent=False),
        dataclasses.replace(RETRAINED, records_left_out=149),
    ]  # fmt: skip
    return [
        dataclasses.replace(base, construction=made, comparison=comparison, attacks=attacks, kind=kind,
                            kept_records=kept, unmet_items=unmet, deployments=deployments, unproven_reference=unproven)
        for made, comparison, attacks, kind, (kept, unmet), deployments, unproven in itertools.product(
            broken, Comparison, (0, 1), Kind, ((0, 0), (3, 0), (0, 11)), (0, 2), (False, True))
    ]  # fmt: skip


def words(said: Statement) -> str:
    return " ".join((said.headline, said.verdict, *said.claims, *said.limits))


@functools.cache  # seconds, of which no process that runs other tests knows
def told() -> list[tuple[Facts, Statement]]:
    pairs = []
    for row in TABLE:
        for one in variants(facts(*row)):
            try:
                pairs.append((one, statement(one)))
            except ContradictionError:
                continue
    return pairs


@pytest.mark.parametrize(("verdict", "guarantee", "disposition", "service"), TABLE)
def test_each_combination_is_told_or_refused_as_the_table_says(
    verdict: Verdict, guarantee: Guarantee, disposition: Disposition, service: Service
) -> None:
    one = facts(verdict, guarantee, disposition, service)
    if disposition in allowed(verdict, guarantee, service):
        said = statement(one)
        assert said.headline and said.verdict and said.claims and said.limits
        assert "%" not in re.sub(r"\d%", "", words(said)), "an unfilled placeholder"
    else:
        with pytest.raises(ContradictionError, match="Possible"):
            statement(one)


def test_nothing_is_said_to_be_gone_while_the_old_version_may_answer() -> None:
    for one, said in told():
        if one.service is not Service.REPLACED:
            assert not GONE.search(words(said)), words(said)
            if one.disposition is Disposition.PARTLY:
                assert "retrained without" not in said.headline
                assert re.search(r"still|pending|cannot be reached", said.headline)


def test_the_old_version_in_service_is_always_mentioned_when_something_was_changed() -> None:
    for one, said in told():
        if one.service is not Service.REPLACED and one.verdict is Verdict.PASS and one.disposition in (
            Disposition.PARTLY, Disposition.NOT_FULFILLED
        ):  # fmt: skip
            assert any("Lumen revision 1" in claim and "may" in claim for claim in said.claims)


def test_exact_is_said_of_nothing_but_a_shown_construction() -> None:
    seen = 0
    for one, said in told():
        changed = one.disposition in (Disposition.FULFILLED, Disposition.PARTLY)
        assert bool(EXACT.search(words(said))) == (changed and one.constructed)
        seen += one.constructed and changed
    assert seen


def test_an_approximate_pass_is_a_measurement_and_may_be_recoverable() -> None:
    seen = 0
    for one, said in told():
        if one.verdict is Verdict.PASS and one.disposition is Disposition.PARTLY and not one.constructed:
            seen += 1
            assert "not a proof of absence" in words(said)
            assert any("can come back" in limit for limit in said.limits)
            assert not GONE.search(words(said))
    assert seen


def test_the_sentence_of_an_approximate_pass_is_word_for_word() -> None:
    said = statement(facts(Verdict.PASS, Guarantee.APPROXIMATE, Disposition.PARTLY))
    assert said.claims[0] == (
        "Lumen differs from a model that was trained without the matched records by less than the stated margins on "
        "the listed probes with 95% confidence, after the listed attack; that is a measurement, not a proof of absence."
    )
    assert said.headline.startswith("The 150 records that were accepted in this case are suppressed in Lumen")


def test_where_less_was_accepted_than_was_named_or_found_nothing_is_said_of_all_of_it() -> None:
    seen = 0
    for one, said in told():
        if one.partial and one.disposition in (Disposition.FULFILLED, Disposition.PARTLY):
            seen += 1
            text = words(said)
            assert "25 works" not in text and "the personal data of the request" not in text
            assert not re.search(r"[Tt]he (content|false statements) that the (report|request) names", text)
            assert ("Records that matched but were not accepted: 3." in text) == bool(one.kept_records)
            assert ("without a record that was accepted: 11 of 25" in text) == bool(one.unmet_items)
    assert seen
    part = dataclasses.replace(
        facts(Verdict.PASS, Guarantee.APPROXIMATE, Disposition.PARTLY), kept_records=90, records=10,
        comparison=Comparison.CONTROLS, kind=Kind.PRIVACY,
    )  # fmt: skip
    said = statement(part)
    assert said.headline.startswith("The 10 records that were accepted in this case are suppressed in Lumen")
    assert "Lumen treats the 10 records that were accepted in this case like never-seen material" in said.claims[0]


def test_the_sentence_of_a_retraining_is_word_for_word() -> None:
    said = statement(facts())
    assert said.headline == "Lumen was retrained without the 150 records matched to the 25 works"
    assert said.claims[0] == (
        "Exact by construction, by the issuer's own record of the training: retrained from fresh weights without the "
        "150 records; the tokenizer was made from text in which none of the records searched stands."
    )


def test_an_attack_is_claimed_only_where_one_was_made() -> None:
    for one, said in told():
        if not one.attacks:
            assert "after the listed attack" not in words(said)


def test_no_verdict_but_pass_is_called_a_pass() -> None:
    for one, said in told():
        assert said.verdict.startswith("Pass") == (one.verdict is Verdict.PASS)
        if one.verdict is not Verdict.PASS:
            assert "none exceeds" not in words(said) and "differs from" not in words(said)


def test_unchanged_models_get_no_claim_about_their_knowledge() -> None:
    for one, said in told():
        if one.disposition not in (Disposition.FULFILLED, Disposition.PARTLY):
            assert "This report claims nothing about what any model knows." in said.claims


def test_fulfilled_by_retraining_needs_every_fact_of_the_construction() -> None:
    for made in variants(facts()):
        if not made.constructed:
            with pytest.raises(ContradictionError, match="partly_fulfilled"):
                statement(made)


def test_the_worst_deployment_counts() -> None:
    assert service_of([]) is Service.REPLACED
    assert service_of(["replaced", "pending", "unreachable"]) is Service.UNREACHABLE
    assert service_of(["serving", "replaced"]) is Service.SERVING


def test_a_reference_of_unproven_lineage_is_not_called_a_model_without_the_records() -> None:
    plain = facts(guarantee=Guarantee.APPROXIMATE, disposition=Disposition.PARTLY)
    weak = words(statement(dataclasses.replace(plain, unproven_reference=True)))
    assert "differs from a model that was trained without the matched records" in words(statement(plain))
    assert "differs from a model" not in weak
    assert "differs from the reference by less than the stated margins" in weak
    assert "That the reference was trained without the matched records is the issuer's word" in weak
