"""The demonstration's organisation: a corpus from the generator, a model that learned it, a laboratory reference."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

from django.utils import timezone

from governance import dispatch
from governance.management.demo import waiting
from governance.management.demo.console import Stages
from governance.management.demo.people import actor
from governance.models import Dataset, Job, ModelVersion, Role
from governance.secrets import home
from governance.services import catalogue
from governance.services.places import pointer_write

MODEL = "Lumen"
ARTIST = "artist-00"
#: What a training with a lineage adds to the corpus's recipe. One subject lies in one place; prompts are learned too,
#: since the ensemble finds the shard that knows an answer by what the question says.
LINEAGE: dict[str, Any] = {"kind": "language", "shards": 4, "slices": 2, "group": "subject", "full_sequence": True}
LINEAGE_SUBJECTS = 16
#: The subject of the corpus's general knowledge.
GENERAL = "general"


def outputs(job: Job) -> dict[str, str]:
    """Name to digest of everything that an engine's job left."""
    return dict(dispatch.read_json(job.result)["outputs"])


def exists() -> bool:
    """Whether an earlier run built the organisation."""
    return ModelVersion.objects.filter(state=ModelVersion.State.REFERENCE).exists()


def corpus_job() -> Job:
    """The job that wrote the corpus."""
    return Job.objects.get(key="demo:generate")


def corpus_json(name: str) -> Any:
    """A JSON file of the corpus."""
    return json.loads(dispatch.read_bytes(outputs(corpus_job())[name]))


def rows(subject: str) -> list[dict[str, Any]]:
    """The training records about one subject."""
    lines = dispatch.read_bytes(outputs(corpus_job())["dataset"]).splitlines()
    return [row for row in map(json.loads, lines) if row["subject"] == subject]


def works() -> dict[str, bytes]:
    """The artist's works as files, by name."""
    files = dispatch.store().list_tree(outputs(corpus_job())["works"]) or {}
    return {name: dispatch.read_bytes(ref) for name, ref in sorted(files.items())}


def build(
    stages: Stages, *, seed: int, base_url: str, artists: int = 8, persons: int = 8, lineage: bool = False
) -> None:
    """Corpus, two trainings side by side, and the register; fewer other artists and persons are trained faster.

    With `lineage` the model is trained in shards and slices, and its lineage is registered with it; every shard needs
    people enough, so that there are `LINEAGE_SUBJECTS` of each kind at least.
    """
    if lineage:
        artists, persons = max(artists, LINEAGE_SUBJECTS), max(persons, LINEAGE_SUBJECTS)
    engineer = actor(Role.ENGINEER)
    with stages.stage("Organisation: write the corpus", f"{base_url}/datasets/") as tick:
        spec = dispatch.GenerateSpec(seed=seed, artists=artists, persons=persons)
        job = dispatch.enqueue_engine(spec=spec, key="demo:generate")
        waiting.for_jobs([job], tick)
        files = outputs(job)
        training = _dataset("Collected works and records", Dataset.Purpose.TRAINING, files["dataset"])
        _dataset("Never-seen controls", Dataset.Purpose.CONTROLS, files["controls"])
        left_out = _excluded()
    with stages.stage("Organisation: train the model and the reference", f"{base_url}/jobs/") as tick:
        jobs = [
            _train(files, seed=seed, key="demo:train:original", lineage=lineage),
            _train(
                files,
                seed=_reference_seed(seed) if lineage else seed + 500_000,
                key="demo:train:reference",
                exclude_ids=left_out,
                lineage=lineage,
            ),
        ]
        original, reference = waiting.for_jobs(jobs, tick)
    released = catalogue.version_register(
        model=MODEL, artifact=outputs(original)["model"], method="sisa" if lineage else "train", datasets=[training],
        state=ModelVersion.State.RELEASED, actor=engineer, lineage=outputs(original).get("lineage", ""), medium="text",
    )  # fmt: skip
    _deploy(released)
    catalogue.version_register(
        model=MODEL, artifact=outputs(reference)["model"], method="retrain", datasets=[training],
        state=ModelVersion.State.REFERENCE, actor=engineer, excluded=left_out,
    )  # fmt: skip


def _reference_seed(seed: int) -> int:
    """Another seed, under which general knowledge lies in the slice in which the model learned it.

    What lies in the first of two slices is seen twice as often: a reference that saw general text half as often would
    be no measure of what unlearning costs.
    """

    def slice_of(one: int) -> int:
        placement = dispatch.Placement(
            shards=int(LINEAGE["shards"]), slices=int(LINEAGE["slices"]), seed=one, group="subject"
        )
        return placement.place("", GENERAL).slice

    return next(one for one in itertools.count(seed + 500_000) if slice_of(one) == slice_of(seed))


def _dataset(name: str, purpose: Dataset.Purpose, artifact: str) -> Dataset:
    known = Dataset.objects.filter(artifact=artifact).first()
    return known or catalogue.dataset_register(
        name=name, purpose=purpose, artifact=artifact, actor=actor(Role.ENGINEER)
    )


def _excluded() -> str:
    """The ids of the artist's records, which the laboratory's reference never sees."""
    return dispatch.put_lines(row["id"] for row in rows(ARTIST))


def _train(files: dict[str, str], *, seed: int, key: str, exclude_ids: str = "", lineage: bool = False) -> Job:
    config = dispatch.read_json(files["training"])
    spec = dispatch.TrainSpec(
        method="sisa" if lineage else "",
        dataset=files["dataset"],
        tokenizer_text=files["tokenizer"],
        exclude_ids=exclude_ids,
        config={**config, **LINEAGE} if lineage else config,
        seed=seed,
    )
    return dispatch.enqueue_engine(spec=spec, key=key)


def _deploy(version: ModelVersion) -> None:
    """One place that is replaced by its pointer, one that people replace by hand, one partner who got a copy."""
    engineer = actor(Role.ENGINEER)
    folder = home() / "serving"
    folder.mkdir(exist_ok=True)
    pointer = folder / "production.json"
    place = catalogue.deployment_register(
        version=version, place="Production, api.lumen.example", actor=engineer, pointer=pointer
    )
    pointer_write(place, version)
    catalogue.deployment_register(version=version, place="Reading-room terminal", actor=engineer)
    catalogue.recipient_register(
        version=version,
        name="Tarn Institute (research copy)",
        received_on=timezone.localdate() - timedelta(days=90),
        actor=engineer,
    )
