"""The border to the engine: specs, the artefact store and the queues. Nothing else in this package touches them.

Every job is a row first (`Job`), in the transaction of the change that wants it; the message goes out on commit and
carries ids only. If it is lost, the sweeper publishes the row again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from governance.errors import Unfit
from governance.models import Case, Job, Plan
from unlearning_engine.artifacts import Store
from unlearning_engine.catalog import ATTACKS, DEFAULT_POLICY, MARGINS, METHODS, MethodEntry
from unlearning_engine.contracts import (
    LINEAGE_METHODS,
    WATCH,
    GenerateSpec,
    Guarantee,
    MatchSpec,
    Outcome,
    PatchSpec,
    Spec,
    TrainSpec,
    UnlearnSpec,
    VerifySpec,
    canonical,
    digest,
    to_json,
)
from unlearning_engine.errors import ConfigError, DataError, EngineError
from unlearning_engine.leniency import Change
from unlearning_engine.leniency import changes as policy_changes
from unlearning_engine.matching.prints import PRINT_SCHEME, Print, fingerprint, key_id
from unlearning_engine.matching.prints import document as prints_document
from unlearning_engine.placement import (
    Cost,
    Place,
    Placement,
    deletion_cost,
    expected_share,
    lists_of,
    places_of,
)
from unlearning_engine.planner import (
    SENTENCES,
    Attempt,
    Hardware,
    House,
    Ranking,
    Situation,
    Sizes,
    available,
    cost_of,
    duration,
    ended,
    model_sizes,
    rank,
    serves,
    tokens_of,
    verification_cost,
)
from unlearning_engine.policy import Policy

__all__ = [
    "ATTACKS",
    "DEFAULT_POLICY",
    "LINEAGE_METHODS",
    "MARGINS",
    "METHODS",
    "PRINT_SCHEME",
    "SENTENCES",
    "WATCH",
    "Attempt",
    "Change",
    "Cost",
    "DataError",
    "EngineError",
    "GenerateSpec",
    "Guarantee",
    "Hardware",
    "House",
    "MatchSpec",
    "MethodEntry",
    "Outcome",
    "PatchSpec",
    "Place",
    "Placement",
    "Print",
    "Ranking",
    "Situation",
    "Sizes",
    "Spec",
    "TrainSpec",
    "UnlearnSpec",
    "VerifySpec",
    "available",
    "cost_of",
    "deletion_cost",
    "digest",
    "duration",
    "ended",
    "expected_share",
    "fingerprint",
    "key_id",
    "lists_of",
    "model_sizes",
    "places_of",
    "policy_changes",
    "prints_document",
    "rank",
    "serves",
    "tokens_of",
    "verification_cost",
]

#: Jobs of the house itself and the queue that takes each; everything else is an engine verb on `gpu`.
HOUSE_JOBS = {
    "match": "default",
    "plan": "default",
    "unlearn": "default",
    "verify": "default",
    "notify": "default",
    "report": "signing",
    "paper": "signing",
    "attest": "signing",
}
ENGINE_TASK = "engine.run"
HOUSE_TASK = "governance.run_job"


def store() -> Store:
    """The artefact store of this installation."""
    return Store(settings.ARTIFACTS_URL)


def put_bytes(data: bytes) -> str:
    """Store a blob; returns its digest."""
    return store().put_bytes(data)


def put_rows(rows: Iterable[dict[str, Any]]) -> str:
    """Store rows as JSONL; returns the digest."""
    return put_bytes(b"".join(canonical(row) + b"\n" for row in rows))


def put_lines(lines: Iterable[str]) -> str:
    """Store lines of text; returns the digest."""
    return put_bytes("".join(f"{line}\n" for line in lines).encode())


def read_bytes(ref: str) -> bytes:
    """A stored blob, checked against its digest."""
    return store().read(ref)


def read_lines(ref: str) -> list[str]:
    """Lines as `put_lines` stored them; none for an empty reference."""
    return [line for line in read_bytes(ref).decode().split("\n") if line] if ref else []


def read_json(ref: str) -> Any:
    """A stored JSON document."""
    return json.loads(read_bytes(ref))


def read_output(job: Job, name: str) -> bytes:
    """The one file of a finished job's output."""
    ref = read_json(job.result)["outputs"][name]
    files = store().list_tree(ref)
    if files is None:
        return read_bytes(ref)
    if len(files) != 1:
        raise Unfit(f"Output {name} of job {job.pk} holds {len(files)} files instead of one.")
    return read_bytes(next(iter(files.values())))


def read_output_json(job: Job, name: str) -> Any:
    """The JSON document that a finished job left under this name."""
    return json.loads(read_output(job, name))


def read_output_rows(job: Job, name: str) -> list[Any]:
    """The JSON lines that a finished job left under this name."""
    return [json.loads(line) for line in read_output(job, name).splitlines() if line.strip()]


def whole_policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    """A verification policy with every field filled in, as a verdict will name it.

    Raises:
        Unfit: with every problem of it.
    """
    try:
        return Policy.from_json(policy).to_json()
    except ConfigError as error:
        raise Unfit([problem.removeprefix("policy.") for problem in error.messages]) from error


def house() -> House:
    """The policy of the house for plans, as it is configured now.

    Raises:
        Unfit: with every problem of it.
    """
    try:
        return House(**{**settings.PLAN_HOUSE, "methods": tuple(settings.PLAN_HOUSE["methods"])})
    except ConfigError as error:
        raise Unfit([f"The policy for plans, {problem}" for problem in error.messages]) from error


def device_kind() -> str:
    """The kind of device that plans are reckoned for, before a run has said what it ran on."""
    return str(settings.PLAN_HARDWARE["kind"])


def currency() -> str:
    """What prices are told in."""
    return str(settings.PLAN_HARDWARE["currency"])


def exists(ref: str) -> bool:
    """Whether a stored blob or tree is still there."""
    return store().exists(ref)


def discard(ref: str) -> bool:
    """Delete what must not stay, such as a claimant's works; False where another stored tree still needs it itself."""
    return ref not in store().delete(ref).kept


def queue_name(queue: str) -> str:
    """The broker's name for one of our queues."""
    return str(current_app.conf.lethe_queues[queue])


def enqueue(*, kind: str, key: str, case: Case | None = None, plan: Plan | None = None, spec: str = "") -> Job:
    """A job of the house; `spec` is the digest of what it is told. The same key never makes a second one."""
    return _create(kind=kind, key=key, queue=HOUSE_JOBS[kind], case=case, plan=plan, spec=spec)


def enqueue_engine(*, spec: Spec, key: str, case: Case | None = None, plan: Plan | None = None, kind: str = "") -> Job:
    """A job of the engine: its spec is stored by digest, so that anybody with access can run the very same.

    `kind` names whose step follows on its end where that is not the verb's usual one.
    """
    data = to_json(spec)
    return _create(
        kind=kind or f"engine.{data['verb']}",
        key=key,
        queue="gpu",
        case=case,
        plan=plan,
        spec=put_bytes(canonical(data)),
    )


def _create(*, key: str, **fields: Any) -> Job:
    job, created = Job.objects.get_or_create(key=key, defaults=fields)
    if created:
        transaction.on_commit(lambda: publish(job))
    return job


def publish(job: Job) -> bool:
    """Send the job's message. False when no broker answers: the sweeper will try again."""
    name, arguments = (
        (ENGINE_TASK, [str(job.pk), job.attempt, job.spec])
        if job.queue == "gpu"
        else (HOUSE_TASK, [str(job.pk), job.attempt])
    )
    return tell(name, arguments, job.queue)


def tell(task: str, arguments: list[Any], queue: str = "default") -> bool:
    """Hand a task to whichever worker is free. False when no broker answers: every task has a sweeper of its own."""
    try:
        current_app.send_task(task, args=arguments, queue=queue_name(queue), retry=False)
    except (OperationalError, OSError):
        return False
    return True


def broker_is_server() -> bool:
    """Whether tasks go through a server, which hands them on at once; folders are asked by workers now and then."""
    return not settings.BROKER_URL.startswith(("filesystem:", "memory:"))


def cancel(job: Job) -> None:
    """Leave the flag that the engine's worker looks for at every heartbeat."""
    store().set_flag(f"cancel/{job.pk}")


def uncancel(job: Job) -> None:
    """Take the flag away, so that the job can run again."""
    store().clear_flag(f"cancel/{job.pk}")


def canonical_text(value: object) -> str:
    """Canonical JSON as text: its digest is that of its UTF-8 bytes."""
    return canonical(value).decode()


def text_digest(text: str) -> str:
    """`sha256:<hex>` of a text."""
    return bytes_digest(text.encode())


def bytes_digest(data: bytes) -> str:
    """`sha256:<hex>` of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
