"""Which weights this house's engine made itself, by the jobs on record; of all others their maker's word is all."""

from __future__ import annotations

from governance.models import Job


def _runs(artifact: str) -> list[Job]:
    done = Job.objects.filter(state=Job.State.SUCCEEDED, summary__outputs__model=artifact)
    return list(done.filter(kind__in=("engine.train", "engine.unlearn")).select_related("plan__base").order_by("kind"))


def tokenizer_made_here(artifact: str) -> bool:
    """Whether the tokenizer of these weights came from a training by this engine: what unlearns takes it over."""
    seen: set[str] = set()
    while artifact and artifact not in seen:
        seen.add(artifact)
        runs = _runs(artifact)
        if any(job.kind == "engine.train" for job in runs):
            return True
        artifact = next((job.plan.base.artifact for job in runs if job.plan), "")
    return False


def trained_here(artifact: str) -> bool:
    """Whether a succeeded training or retraining by this engine left these weights, so that its recipe is a record."""
    runs = _runs(artifact)
    if any(job.kind == "engine.train" for job in runs):
        return True
    return any(
        job.plan and job.plan.method == "retrain" and tokenizer_made_here(job.plan.base.artifact) for job in runs
    )
