"""A sample of cases as an auditor draws it: stated, a checkpoint signed, drawn. Wants the fixture `house`."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from governance.models import AuditSample
from governance.policies import Actor
from governance.services import checkpoints, samples

TEXT = "nine white rows above the tide"


def stated_sample(auditor: Actor, *, n: int = 2, strata: str = "", text: str = TEXT, **narrowed: str) -> AuditSample:
    """All cases that were received within a year."""
    today = timezone.localdate()
    days = {"date": "received_on", "from": (today - timedelta(days=365)).isoformat(), "to": today.isoformat()}
    return samples.sample_state(n=n, narrowed={**days, **narrowed}, strata=strata, text=text, actor=auditor)


def drawn_sample(auditor: Actor, **stated: str) -> AuditSample:
    """The same, drawn by the checkpoint that follows."""
    sample = stated_sample(auditor, **stated)  # type: ignore[arg-type]
    checkpoints.checkpoint_make()
    return samples.sample_draw(sample=sample, text="", actor=auditor)
