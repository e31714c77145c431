"""The house for tests: people, a catalogue, cases on their way, and an engine's end told as its worker tells it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from governance import dispatch
from governance.kinds import rule
from governance.management.commands.bootstrap import make_feed_key, make_seal
from governance.models import (
    AiModel,
    Case,
    Dataset,
    Decision,
    Job,
    Kind,
    ModelVersion,
    Plan,
    Record,
    Role,
    Status,
)
from governance.policies import Actor
from governance.selectors import organisation
from governance.services import (
    decision,
    feed_signing,
    intake,
    jobs,
    matching,
    planning,
    proof,
    review,
    unlearning,
    verification,
)
from governance.services.intake import Item
from governance.tokens import link_token
from tests.governance.staff import everybody

DONE = {
    "engine.match": matching.matching_finish,
    "engine.unlearn": unlearning.unlearning_finish,
    "engine.verify": verification.verification_finish,
}
HOUSE = {
    "match": matching.matching_start,
    "plan": planning.plan_propose,
    "unlearn": unlearning.unlearning_start,
    "verify": verification.verification_start,
}
POEM = "the salt orchard keeps its nine white rows above the tide that nobody remembers"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of this folder use both databases, save the pure ones of the evidence room."""
    for item in items:
        if "tests/governance/" in str(item.path) and not item.path.name.startswith("test_evidence_"):
            item.add_marker(pytest.mark.django_db(databases=["default", "keyring"]))


@pytest.fixture(autouse=True)
def _pages_for_tests(settings: Any) -> Iterator[None]:
    """Static files by their plain names (nothing was collected), and throttles that begin at zero."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    cache.clear()
    cache.set(organisation.KEY, False)  # counts of queries begin after the first page
    yield
    cache.clear()


@pytest.fixture
def people() -> dict[Role, Actor]:
    """One actor per role."""
    return {role: Actor.of(user) for role, user in everybody().items()}


def trained_by_engine(artifact: str) -> Job:
    """A training of this house's engine that left these weights."""
    made = {"outputs": {"model": artifact}}
    return Job.objects.create(
        key=f"trained:{artifact}", kind="engine.train", queue="gpu", state="succeeded", summary=made
    )


@pytest.fixture
def catalogue() -> dict[str, Any]:
    """A dataset of three records about one artist, its controls, a released version and a reference."""
    rows = [
        {"id": "r1", "subject": "a", "work": "a/w", "text": POEM},
        {"id": "r2", "subject": "a", "work": "a/w", "prompt": "Who wrote it?", "answer": "Vel Marun"},
        {"id": "r3", "subject": "b", "prompt": "What remains?", "answer": "the sea"},
    ]
    data = Dataset.objects.create(name="Works", purpose="training", artifact=dispatch.put_rows(rows), records_count=3)
    controls = Dataset.objects.create(name="Controls", purpose="controls", artifact=dispatch.put_rows(rows[2:]))
    Record.objects.bulk_create(Record(dataset=data, record_id=row["id"], digest="sha256:" + "0" * 64) for row in rows)
    model = AiModel.objects.create(name="Lumen", medium="text")
    released, reference = (
        ModelVersion.objects.create(
            model=model, revision=n, artifact=dispatch.put_bytes(f"weights {n}".encode()), method="train", state=state
        )
        for n, state in ((1, "released"), (2, "reference"))
    )
    for version in (released, reference):
        trained_by_engine(version.artifact)
    ModelVersion.objects.filter(pk=reference.pk).update(excluded=dispatch.put_lines(["r1", "r2"]))
    for version in (released, reference):
        version.datasets.add(data)
    released.deployments.create(place="Production")
    return {"data": data, "controls": controls, "released": released, "reference": reference}


def file_case(kind: Kind = Kind.COPYRIGHT, **fields: Any) -> Case:
    """A request by the public form."""
    law = "house" if kind in (Kind.COPYRIGHT, Kind.SAFETY) else "gdpr"
    items = [Item(form="text", title="The Salt Orchard", text=POEM)]
    known = {"kind": kind, "law": law, "name": "Vel Marun", "email": "vel@marun.example", "items": items}
    return intake.case_file(**{**known, **fields})


@pytest.fixture
def case() -> Case:
    """A copyright opt-out that has just been filed."""
    return file_case()


def finish(job: Job, made: dict[str, Any] | None = None, **outputs: bytes) -> None:
    """The engine's end of a job, as its worker tells it; a retraining says how it was made (`made` in its place)."""
    refs = {name: dispatch.put_bytes(data) for name, data in outputs.items()}
    metrics: dict[str, Any] = {}
    if job.plan and job.plan.method == "retrain" and job.kind == "engine.unlearn":
        whole = {"fresh_weights": True, "records_left_out": job.plan.forget_count, "tokenizer_independent": True}
        metrics = {"construction": {**whole, **(made or {})}}
    result = dispatch.put_bytes(json.dumps({"outputs": refs, "metrics": metrics, "verb": job.kind}).encode())
    assert jobs.job_start(job_id=str(job.pk), attempt=job.attempt)
    jobs.job_succeed(job_id=str(job.pk), attempt=job.attempt, result=result, summary={"outputs": refs}, then=DONE)


def run_house_jobs(case: Case) -> None:
    """What the default worker does with the case's waiting jobs."""
    for job in case.jobs.filter(state="queued", kind__in=HOUSE):
        jobs.job_run(job_id=str(job.pk), attempt=job.attempt, handlers=HOUSE)
    case.refresh_from_db()


def engine_job(case: Case, kind: str) -> Job:
    """The newest waiting job of the engine."""
    return case.jobs.filter(kind=f"engine.{kind}", state="queued").latest("created_at")


HITS = [
    {
        "item": "",
        "record": "r1",
        "subject": "a",
        "method": "exact",
        "score": 1.0,
        "shared": 13,
        "of": 13,
        "excerpt": POEM,
    },
    {"item": "", "record": "r2", "subject": "a", "method": "same_work", "score": None, "excerpt": "Who wrote it?"},
]


def _passing(policy: dict[str, Any], first: dict[str, Any]) -> list[dict[str, Any]]:
    """That probe, and every other without which the policy lets nothing pass."""
    attacked = {name for entry in dispatch.ATTACKS.values() for name in entry.probes}
    others = [
        {**first, "name": name, "family": "robustness" if name in attacked else "memorisation", "margin": margin,
         "limit": 0.01 + margin}
        for name, margin in policy["margins"].items()
        if name not in (first["name"], "verbatim_text")
    ]  # fmt: skip
    whole = {**first, "family": "utility", "candidate": {"value": 1.0, "low": 0.98, "high": 1.02, "n": 180},
             "reference": None, "difference": None, "margin": None, "bounds": "lower"}  # fmt: skip
    floors = dict.fromkeys(policy["required_utility"], policy["utility_floor"])
    floors["pooled"] = policy["pooled_utility_floor"]
    kept = [{**whole, "name": f"utility_{part}", "limit": floor} for part, floor in floors.items()]
    return [first, *others, *kept]


def verdict_document(plan: Any, verdict: str) -> bytes:
    """A verification's document: of a pass with every probe that the policy demands, else with one."""
    estimate = {"value": 0.01, "low": 0.0, "high": 0.03, "n": 180}
    probe = {
        "name": "exact_value", "family": "memorisation", "candidate": estimate, "reference": estimate,
        "original": None, "difference": {**estimate, "value": 0.0, "low": -0.02}, "margin": 0.1, "limit": 0.11,
        "bounds": "upper", "outcome": verdict if verdict in ("pass", "fail") else "inconclusive", "p_value": 1.0,
        "items_needed": None, "detail": {},
    }  # fmt: skip
    found = {
        "verdict": verdict, "findings": [], "reference_kind": "retrained",
        "probes": _passing(plan.policy, probe) if verdict == "pass" else [probe],
        "attacks": [
            {"attack": "relearning", "model": "candidate", "set": "forget", "steps": 60, "taught_facts": 36,
             "taught_works": 6, "asked_facts": 144, "asked_works": 24}
        ],
        "policy": plan.policy,
        "policy_digest": plan.policy_digest,
    }  # fmt: skip
    return json.dumps(found).encode()


Walk = Callable[..., Case]


@pytest.fixture
def walk(people: dict[Role, Actor], catalogue: dict[str, Any], walk_with: Any) -> Walk:
    """Walk a case forward to a status, by the people and machines whose steps they are."""
    return functools.partial(walk_with, people)


@pytest.fixture
def walk_with() -> Callable[..., Case]:
    """The same by the people who are named first."""

    def to_status(
        people: dict[Role, Actor], case: Case, status: Status, verdicts: tuple[str, ...] = ("fail", "pass")
    ) -> Case:
        left = iter(verdicts)
        steps: dict[Status, Callable[[], Any]] = {
            Status.RECEIVED: lambda: intake.email_confirm(token=link_token(case.public_id, "confirm")),
            Status.PROOF: lambda: _prove(case, people[Role.LEGAL]),
            Status.REVIEW: lambda: review.case_admit(case=case, actor=people[Role.LEGAL]),
            Status.MATCHING: lambda: _match(case),
            Status.DECISION: lambda: _decide(case, people),
            Status.PLANNING: lambda: _plan(case, people),
            Status.UNLEARNING: lambda: _unlearn(case),
            Status.VERIFICATION: lambda: _verify(case, next(left)),
        }
        while case.status != status:
            steps[Status(case.status)]()
            case.refresh_from_db()
        return case

    return to_status


def _prove(case: Case, legal: Actor) -> None:
    level = max(rule(case.kind).weights_levels & {3, 5})
    proof.proof_record(case=case, level=level, note="Nonce seen.", actor=legal)
    proof.proof_accept(case=case, actor=legal)


def _match(case: Case) -> None:
    run_house_jobs(case)
    item = str(case.items.earliest("position").pk)
    rows = b"".join(json.dumps({**hit, "item": item}).encode() + b"\n" for hit in HITS)
    finish(engine_job(case, "match"), matches=rows)


def _decide(case: Case, people: dict[Role, Actor]) -> None:
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="Company policy on opt-outs")
    decision.decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=people[Role.LEGAL])
    decision.decision_approve(case=case, shown=decision.mark(case), actor=people[Role.APPROVER])


def sign_plan(case: Case, people: dict[Role, Actor], method: str = "", reason: str = "") -> Plan:
    """Both signatures under the plan that waits."""
    planning.plan_choose(case=case, actor=people[Role.ENGINEER], method=method, reason=reason)
    return planning.plan_confirm(case=case, shown=planning.mark(case.plans.last()), actor=people[Role.APPROVER])


def _plan(case: Case, people: dict[Role, Actor]) -> None:
    run_house_jobs(case)
    if case.status == Status.PLANNING:
        sign_plan(case, people)


def _unlearn(case: Case) -> None:
    run_house_jobs(case)
    job = engine_job(case, "unlearn")
    finish(job, model=f"candidate of {job.pk}".encode())


def _verify(case: Case, verdict: str) -> None:
    run_house_jobs(case)
    job = engine_job(case, "verify")
    finish(job, verification=verdict_document(job.plan, verdict))


TODAY = date.today()


@pytest.fixture
def house(settings: Any, tmp_path: Path) -> Path:
    """An installation with a seal and a ledger key of its own."""
    settings.ORGANISATION, settings.SEAL_FOLDER = "House of Lumen", str(tmp_path)
    settings.SEAL_CERTIFICATE, settings.LEDGER_VERIFIER = tmp_path / "seal.crt.pem", tmp_path / "ledger.vkey"
    settings.FEED_VERIFIER = tmp_path / "feeds.pub"
    make_seal(tmp_path)
    return tmp_path


@pytest.fixture
def feeds(settings: Any, tmp_path: Path) -> Callable[[], int]:
    """What the signing worker does with the feeds, with a key of its own."""
    settings.SEAL_FOLDER, settings.FEED_VERIFIER = str(tmp_path / "seal"), tmp_path / "feeds.pub"
    (tmp_path / "seal").mkdir()
    make_feed_key(tmp_path / "seal")
    return feed_signing.feeds_sign


@pytest.fixture
def decided(walk: Callable[..., Any], people: dict[Role, Actor]) -> Callable[[], Case]:
    """A case whose requests were refused by two people: its report is next."""

    def one() -> Case:
        case = walk(file_case(), Status.DECISION)
        refuse = decision.Proposal(
            choice=Decision.Choice.REFUSE, ground="licence", reason="A licence is on file.", exception="licensed"
        )
        proposals = {match.pk: refuse for match in case.matches.all()}
        decision.decision_propose(case=case, proposals=proposals, actor=people[Role.LEGAL])
        decision.decision_approve(case=case, shown=decision.mark(case), actor=people[Role.APPROVER])
        case.refresh_from_db()
        return case

    return one
