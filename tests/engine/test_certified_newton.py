"""Requests for certified unlearning: what is claimed, what is spent, and everything that is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.certified_heads import CLEAN, head, table, write_jsonl
from unlearning_engine.catalog import METHODS
from unlearning_engine.certified.fitting import fit, with_gap
from unlearning_engine.certified.heads import Head, digest_of, read_head, write_head
from unlearning_engine.certified.newton import unlearn_head
from unlearning_engine.contracts import UnlearnSpec
from unlearning_engine.errors import ConfigError, DataError, EngineError
from unlearning_engine.methods import unlearn

ASKED: dict[str, Any] = {"epsilon": 1.0, "delta": 1e-5}
WHY = {"justification": "both were drawn from one census, by lot"}
ROWS, SUBSTITUTE = table(1200), table(600, seed=50)


@dataclasses.dataclass(frozen=True)
class Place:
    """A head in a folder, with the tables of a request."""

    folder: Path

    def spec(self, model: str = "head", rest: str = "rest", gone: str = "gone", **settings: Any) -> UnlearnSpec:
        forget, retain = (str(self.folder / f"{name}.jsonl") for name in (gone, rest))
        config = {**ASKED, **settings}
        return UnlearnSpec(method="newton", model=str(self.folder / model), forget=forget, retain=retain, config=config)

    def run(self, out: str = "out", **given: Any) -> dict[str, Any]:
        return unlearn_head(self.spec(**given), self.folder / out)

    def head(self, out: str = "out") -> Head:
        return read_head(self.folder / out / "model")

    def refused(self, **given: Any) -> str:
        with pytest.raises(EngineError) as caught:
            self.run("refused", **given)
        assert not (self.folder / "refused").exists(), "a refusal leaves nothing behind"
        return str(caught.value)


@pytest.fixture()
def place(tmp_path: Path) -> Place:
    parts = {"gone": ROWS.take([0, 1]), "rest": ROWS.take(range(2, 1200)), "substitute": SUBSTITUTE}
    parts |= {"second": ROWS.take([2]), "rest2": ROWS.take(range(3, 1200)), "mixed": ROWS.take(range(1, 900))}
    for name, rows in parts.items():
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    write_head(tmp_path / "head", with_gap(head(ROWS), ROWS, SUBSTITUTE))
    return Place(tmp_path)


def changed(place: Place, **values: Any) -> None:
    """The head of the folder, with other values in its configuration."""
    path = place.folder / "head/config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}), encoding="utf-8")


# ---------------------------------------------------------------- what is claimed


def test_with_the_retained_rows_at_hand_they_are_recognised_and_the_claim_is_stated(place: Place) -> None:
    metrics = place.run()
    said = metrics["claim"]
    assert (said["code"], said["epsilon"], said["delta"]) == ("certified", 1.0, 1e-5)
    assert metrics["guarantee"] == "certified" == METHODS["newton"].guarantee.value
    assert metrics["surrogate"] == "retained" and metrics["forgotten_records"] == 2
    assert "epsilon 1 and delta 1e-05" in said["sentence"] and "without the 2 rows" in said["sentence"]
    assumed = " ".join(said["assumptions"])
    for words in ("0.1-strongly convex", "raw columns", "seed was not kept", "released once", "were found to be"):
        assert words in assumed
    json.dumps(metrics, allow_nan=False)


def test_a_whole_table_and_ids_are_the_same_request(place: Place) -> None:
    write_jsonl(place.folder / "all.jsonl", ROWS)
    (place.folder / "ids.txt").write_text("".join(f"{name}\n" for name in ROWS.take([0, 1]).ids))
    whole = {"dataset": str(place.folder / "all.jsonl"), "forget_ids": str(place.folder / "ids.txt")}
    seeded = {**ASKED, "seeded_noise": True}
    spec = dataclasses.replace(place.spec(seeded_noise=True), forget="", retain="", config=seeded, **whole)
    by_ids, by_rows = unlearn_head(spec, place.folder / "by_ids"), place.run(seeded_noise=True)
    assert by_ids["surrogate"] == "retained" and by_ids["weights_digest"] == by_rows["weights_digest"]

    (place.folder / "next.txt").write_text(ROWS.take([2]).ids[0])
    again = dataclasses.replace(
        spec,
        model=str(place.folder / "by_ids/model"),
        forget_ids=str(place.folder / "next.txt"),
        exclude_ids=whole["forget_ids"],
    )
    assert unlearn_head(again, place.folder / "again")["surrogate"] == "retained"
    for text, words in (("nobody", "'nobody' is not in the dataset"), ("", "nothing to forget")):
        (place.folder / "ids.txt").write_text(text)
        with pytest.raises(DataError, match=words):
            unlearn_head(spec, place.folder / "refused")
    (place.folder / "ids.txt").write_text("\n".join(ROWS.ids))
    with pytest.raises(DataError, match="nothing to retain"):
        unlearn_head(spec, place.folder / "refused")


def test_the_successor_knows_what_it_was_made_of(place: Place) -> None:
    metrics = place.run()
    made, left = place.head(), ROWS.take(range(2, 1200))
    fresh = fit(made.config, left)
    assert made.config.n == 1198 and made.config.rows_sum == fresh.config.rows_sum
    assert made.config.dataset_digest == digest_of(left)
    assert made.config.noise == metrics["noise"]["noise"] == made.config.ledger[0]["noise"]
    assert made.config.centre == metrics["shift"]["total"]
    assert np.array_equal(made.weights, made.weights.astype(np.float32))
    off = np.linalg.norm(made.weights - fresh.weights) / made.config.noise
    assert 1.5 < off < 7  # 15 normal numbers, and nothing else to speak of


def test_two_releases_have_different_noise_and_neither_keeps_its_seed(place: Place) -> None:
    one, two = place.run("a"), place.run("b")
    assert one["noise"]["noise_commitment"] != two["noise"]["noise_commitment"]
    assert not np.array_equal(place.head("a").weights, place.head("b").weights)


def test_a_known_seed_is_repeatable_and_claims_nothing(place: Place) -> None:
    one, two = (place.run(out, seeded_noise=True) for out in ("a", "b"))
    assert one["weights_digest"] == two["weights_digest"]
    assert (one["claim"]["code"], one["claim"]["epsilon"], one["guarantee"]) == ("void", None, "approximate")
    write_jsonl(place.folder / "gone.jsonl", ROWS.take([2]))
    write_jsonl(place.folder / "rest.jsonl", ROWS.take(range(3, 1200)))
    assert "drew its noise from a known seed" in place.refused(model="a/model")


def test_a_surrogate_that_was_measured_in_training_is_certified_without_the_data(place: Place) -> None:
    metrics = place.run(rest="substitute", surrogate="measured", sensitivity="observed")
    assumed = " ".join(metrics["claim"]["assumptions"])
    assert "was measured on the training set" in assumed and "The forgotten rows were in the training set" in assumed
    assert "is taken as public" in assumed
    made = place.head()
    assert made.config.dataset_digest == "" and made.config.n == 1198
    assert (
        made.config.gaps[digest_of(SUBSTITUTE)] >= read_head(place.folder / "head").config.gaps[digest_of(SUBSTITUTE)]
    )


def test_the_worst_case_bound_does_not_depend_on_the_rows(place: Place) -> None:
    one = place.run("a", surrogate="retained")
    write_jsonl(place.folder / "other.jsonl", ROWS.take([7, 8]))
    write_jsonl(place.folder / "others.jsonl", ROWS.take([n for n in range(1200) if n not in (7, 8)]))
    two = place.run("b", gone="other", rest="others")
    assert one["shift"] == two["shift"] and one["noise"]["noise"] == two["noise"]["noise"]
    seen = [
        place.run(f"{o}2", gone=g, rest=r, sensitivity="observed")
        for o, g, r in (("a", "gone", "rest"), ("b", "other", "others"))
    ]
    assert seen[0]["noise"]["noise"] != seen[1]["noise"]["noise"]
    assert seen[0]["noise"]["noise"] < one["noise"]["noise"]


def test_noise_fixed_beforehand_tells_nothing_of_the_rows(place: Place) -> None:
    metrics = place.run(rest="substitute", surrogate="measured", sensitivity="observed", noise=1.0)
    assert metrics["noise"]["noise"] == 1.0 and metrics["noise"]["calibration"] == "fixed"
    assert "fixed before the request" in " ".join(metrics["claim"]["assumptions"])
    assert "is less than the" in place.refused(
        rest="substitute", surrogate="measured", sensitivity="observed", noise=1e-6
    )


def test_more_steps_on_the_retained_data_leave_a_bound_that_no_row_moves(place: Place) -> None:
    metrics = place.run(steps=20, tolerance=1e-9)
    assert metrics["shift"]["total"] == pytest.approx(1e-9 / 0.1 + 1e-9)
    made, fresh = place.head(), fit(place.head().config, ROWS.take(range(2, 1200)))
    assert np.linalg.norm(made.weights - fresh.weights) < 1e-5
    assert metrics["accuracy"]["retain"]["after"] == pytest.approx(metrics["accuracy"]["retain"]["before"], abs=0.01)


def test_below_epsilon_one_the_classical_formula_is_used_and_above_it_the_analytic(place: Place) -> None:
    rules = [place.run(f"e{n}", epsilon=eps)["noise"]["calibration"] for n, eps in enumerate((0.5, 1.0, 4.0))]
    assert rules == ["classical", "analytic", "analytic"]
    half = place.run("half", epsilon=0.5, calibration="analytic")["noise"]
    assert half["noise"] < place.run("e", epsilon=0.5)["noise"]["noise"] and half["calibration"] == "analytic"


@pytest.mark.parametrize("kind", ["hessian", "tv", "kl", "gaussian"])
def test_a_stated_distance_is_recorded_with_its_reason(place: Place, kind: str) -> None:
    given: dict[str, Any] = {"hessian": {"distance": 0.2}, "tv": {"distance": 0.1}, "kl": {"distance": 0.01}}.get(
        kind,
        {
            "source": {"mean": [0.0] * 4, "covariance": [1.0] * 4},
            "substitute": {"mean": [0.0] * 4, "covariance": np.eye(4).tolist()},
        },
    )
    metrics = place.run(rest="substitute", surrogate=kind, **given, **WHY)
    entry = place.head().config.ledger[0]
    assert entry["surrogate"] == kind and metrics["claim"]["code"] == "certified"
    assumed = " ".join(metrics["claim"]["assumptions"])
    # Of distributions alone, 600 rows say less than what holds of any Hessian.
    assert WHY["justification"] in assumed or "Nothing is assumed of the surrogate" in assumed
    assert entry["failure"] in (0.0, pytest.approx(1e-6))


def test_noise_that_drowns_the_weights_is_told(place: Place) -> None:
    told: list[dict[str, Any]] = []
    unlearn_head(place.spec(epsilon=0.01), place.folder / "out", told.append)
    assert any("may be useless" in event.get("message", "") for event in told)


# ---------------------------------------------------------------- requests one after another


def test_requests_add_up_in_the_ledger(place: Place) -> None:
    given = {"surrogate": "measured", "sensitivity": "observed", "rest": "substitute"}
    place.run("a", **given)
    metrics = place.run("b", model="a/model", gone="second", **given)
    made, total = place.head("b"), metrics["claim"]["total"]
    assert [entry["rows"] for entry in made.config.ledger] == [2, 1] and made.config.n == 1197
    assert 1.0 < total["epsilon"] < 2.0 and total["composition"] == "gaussian" and total["delta"] == pytest.approx(2e-5)
    assert "All 2 requests to this head together" in metrics["claim"]["sentence"]
    first, second = (entry["noise"] for entry in made.config.ledger)
    assert made.config.noise == pytest.approx(np.hypot(first, second)) and metrics["shift"]["start"] == 0


def test_the_retained_rows_begin_afresh_and_noise_does_not_add_up(place: Place) -> None:
    place.run("a", steps=20)
    metrics = place.run("b", model="a/model", gone="second", rest="rest2", steps=20)
    assert place.head("b").config.noise == metrics["noise"]["noise"]
    assert len(place.head("b").config.ledger) == 2


def test_a_spent_budget_is_refused(place: Place) -> None:
    changed(place, budget_epsilon=1.2)
    place.run("a", steps=20)
    message = place.refused(model="a/model", gone="second", rest="rest2", steps=20)
    assert "2 together would spend epsilon" in message and "nothing was released" in message
    changed(place, budget_epsilon=8.0, budget_delta=1e-6)
    assert "would spend" in place.refused()


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"l2": 0.0}, "not strongly convex"),
        ({"clip": 0.0}, "gradient and Hessian of a row are not bounded"),
        ({"extractor": {**CLEAN, "saw_data": "yes"}}, "feature extractor saw the rows"),
        ({"extractor": {**CLEAN, "saw_data": "unknown"}}, "may have seen the rows"),
        ({"n": 0}, "does not say how many rows"),
        ({"l2": 0.001}, "n mu - m b = .* is not positive"),
    ],
)
def test_a_head_without_the_premises_is_refused(place: Place, values: dict[str, Any], words: str) -> None:
    changed(place, **values)
    assert re.search(words, place.refused(rest="substitute", surrogate="measured"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "without a bound of the surrogate's distance nothing is certified"),
        ({"surrogate": "retained"}, "are not the 1200 that the head was trained on"),
        ({"surrogate": "tv"}, "distance: missing"),
        ({"surrogate": "tv", "distance": 1.0, **WHY}, "bounds no total variation"),
        ({"surrogate": "tv", "distance": 0.1}, "justification: say in at least 20"),
        ({"surrogate": "hessian", "distance": 0.0, **WHY}, "0 is not credible"),
        ({"surrogate": "hessian", "distance": 0.001, **WHY}, "0.001 is not credible: a fresh sample"),
        ({"surrogate": "gaussian", **WHY}, "source, substitute: are given together"),
        ({"surrogate": "near"}, "surrogate: 'near' is unknown"),
        ({"surrogate": "measured", "distance": 0.1}, "distance: is read with"),
        ({"surrogate": "measured", "steps": 3}, "a surrogate allows one step"),
        ({"steps": 3}, "only the retained data show"),
        ({"surrogate": "measured", "epsilon": 0.0}, "epsilon: must be given"),
        ({"surrogate": "measured", "delta": 0.0}, "delta: must be given"),
        ({"surrogate": "measured", "epsilon": 2.0, "calibration": "classical"}, "holds below epsilon 1"),
        ({"surrogate": "measured", "sensitivity": "low"}, "sensitivity: 'low' is unknown"),
        ({"surrogate": "measured", "lr": 0.1}, "lr: unknown field"),
    ],
)
def test_settings_that_certify_nothing_are_refused(place: Place, settings: dict[str, Any], words: str) -> None:
    assert words in place.refused(rest="substitute", **settings)


def test_gaussians_that_the_surrogate_does_not_have_are_refused(place: Place) -> None:
    flat = {"mean": [0.0] * 4, "covariance": [1.0] * 4}
    off = {"mean": [1.0] * 4, "covariance": [1.0] * 4}
    given = {"rest": "substitute", "surrogate": "gaussian", **WHY}
    assert "is not credible" in place.refused(source=flat, substitute=off, **given)
    assert "mean must have 4 numbers" in place.refused(
        source={"mean": [0.0], "covariance": [1.0]}, substitute=flat, **given
    )
    assert "needs mean and covariance" in place.refused(source={"mean": [0.0]}, substitute=flat, **given)


def test_a_surrogate_that_was_not_measured_is_refused(place: Place) -> None:
    write_jsonl(place.folder / "new.jsonl", table(100, seed=77))
    assert "holds no measured distance for this surrogate" in place.refused(rest="new", surrogate="measured")
    write_jsonl(place.folder / "few.jsonl", table(3, seed=77))
    assert "too few for a surrogate" in place.refused(rest="few", surrogate="hessian", distance=0.2, **WHY)


def test_rows_that_are_forgotten_and_kept_are_named(place: Place) -> None:
    assert "holds 1 rows that are to be forgotten (s0.00001)" in place.refused(rest="mixed")


def test_a_table_that_lacks_a_retained_row_is_no_retained_set(place: Place) -> None:
    write_jsonl(place.folder / "rest.jsonl", ROWS.take(range(3, 1200)))
    assert "are not the 1200" in place.refused(surrogate="retained")
    assert "nothing is certified" in place.refused()


def test_a_missing_set_is_refused(place: Place) -> None:
    spec = dataclasses.replace(place.spec(), retain="")
    with pytest.raises(ConfigError, match="retain: missing"):
        unlearn_head(spec, place.folder / "out")


def test_a_table_of_wrong_rows_is_refused(place: Place) -> None:
    write_jsonl(place.folder / "gone.jsonl", table(3, 5))
    with pytest.raises(DataError, match="features have shape"):
        place.run()


# ---------------------------------------------------------------- through the front door


def test_the_registry_leads_to_it(place: Place) -> None:
    assert unlearn(place.spec(), place.folder / "out")["claim"]["code"] == "certified"


def engine(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        [sys.executable, "-m", "unlearning_engine", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        timeout=120,
    )


def test_training_and_unlearning_from_the_command_line(place: Place) -> None:
    folder = place.folder
    write_jsonl(folder / "all.jsonl", ROWS)
    settings = {"classes": ["a", "b", "c"], "dimension": 4, "l2": 0.1, "extractor": CLEAN}
    (folder / "c.json").write_text(json.dumps(settings), encoding="utf-8")
    trained = engine(
        folder, "train", "--method", "head", "--data", "all.jsonl", "--config", "c.json", "--out", "trained"
    )
    assert trained.returncode == 0, trained.stderr
    ask = ["unlearn", "--method", "newton", "--model", "trained/model", "--forget", "gone.jsonl"]
    ask += ["--retain", "rest.jsonl"]
    done = engine(folder, *ask, "--set", "epsilon=0.5", "--set", "delta=1e-6", "--out", "done")
    assert done.returncode == 0, done.stderr
    result = json.loads((folder / "done/result.json").read_text())
    assert result["metrics"]["claim"]["epsilon"] == 0.5 and result["metrics"]["guarantee"] == "certified"
    assert read_head(folder / "done/model").config.n == 1198
    bad = engine(folder, *ask, "--out", "bad")
    assert bad.returncode == 2
    messages = json.loads(bad.stdout.splitlines()[-1])["messages"]
    assert len(messages) == 2 and "epsilon: must be given" in messages[0]
