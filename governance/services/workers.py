"""Workers that tell that they are alive: who takes which queue, on what machine. The web process asks no broker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from governance.models import Job, Worker

#: A worker that has been silent for so long is forgotten.
FORGET = timedelta(days=1)
MOST_DEVICES = 32
_NUMBERS = ("cores", "load", "memory_mib", "memory_free_mib", "disk_free_mib")
_OF_DEVICE = ("memory_mib", "memory_free_mib", "busy_percent")


def worker_seen(*, name: str, queues: list[str], every: float, machine: dict[str, Any]) -> Worker:
    """Keep what a worker told of itself; what has another form than it should is left out."""
    now = timezone.now()
    Worker.objects.filter(seen_at__lt=now - FORGET).delete()
    told = {
        "queues": [queue for queue in queues if queue in Job.Queue.values],
        "machine": _machine(machine),
        "every": float(every),
        "seen_at": now,
    }
    row, _made = Worker.objects.update_or_create(name=name[:120], defaults=told)
    return row


def _machine(told: dict[str, Any]) -> dict[str, Any]:
    devices = told.get("devices")
    return {
        **{key: told[key] for key in _NUMBERS if isinstance(told.get(key), int | float)},
        "devices": [
            {"name": str(one.get("name", ""))[:80]}
            | {key: one[key] for key in _OF_DEVICE if isinstance(one.get(key), int | float)}
            for one in (devices if isinstance(devices, list) else [])[:MOST_DEVICES]
            if isinstance(one, dict)
        ],
    }
