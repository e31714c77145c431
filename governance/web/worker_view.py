"""Workers and the whole queue in words: who is alive, on what machine, and when all that waits would be done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.models import Job, Worker
from governance.selectors.jobs import is_alive
from governance.selectors.queue_forecast import WholeQueue

Context = dict[str, Any]
GIB = 1024
#: A change of a feed is signed within a minute, a full house's within a few.
LATE = timedelta(minutes=15)


def section(workers: Sequence[Worker], running: Sequence[Job], queue: WholeQueue, feeds: datetime | None) -> Context:
    """Values of the part on workers; `feeds`: since when the public feeds wait to be signed."""
    by_worker: dict[str, list[Job]] = {}
    for job in running:
        by_worker.setdefault(job.worker, []).append(job)
    return {
        "worker_columns": [_("Worker"), _("State"), _("Queue"), _("Machine"), _("Runs now")],
        "worker_rows": [_row(one, by_worker.get(one.name, [])) for one in workers],
        "worker_warning": " ".join(filter(None, [_warning(workers, queue), _feeds_words(feeds)])),
        "queue_words": _queue_words(queue),
    }


def _warning(workers: Sequence[Worker], queue: WholeQueue) -> str:
    """What an engineer has to do something about; empty when there is nothing."""
    alive = {name for one in workers if is_alive(one) for name in one.queues}
    silent = [str(name) for name in Job.Queue.values if name not in alive]
    # A new house without workers and without work is told by the list of workers alone.
    if not silent or not (workers or queue.jobs):
        return ""
    words = _("No worker takes from: %(queues)s.") % {"queues": ", ".join(silent)}
    if Job.Queue.GPU in silent and queue.jobs:
        words += " " + ngettext("%(n)d job of the engine waits.", "%(n)d jobs of the engine wait.", queue.jobs) % {
            "n": queue.jobs}  # fmt: skip
    return words + " " + _("Start one as docs/operations.md says; nothing is lost meanwhile.")


def _feeds_words(since: datetime | None) -> str:
    if since is None or since > timezone.now() - LATE:
        return ""
    words = _("The public feeds wait for the signing worker since %(when)s. What it signed last is served meanwhile; "
              "readers refuse a feed that was signed more than seven days ago.")  # fmt: skip
    return words % {"when": date_format(timezone.localtime(since), "j M, H:i")}


def _queue_words(queue: WholeQueue) -> str:
    if not queue.jobs:
        return _("The engine's queue is empty.")
    if queue.unknown:
        return _("Nothing is known yet of how long such jobs take.")
    return _("By the forecasts of its jobs the engine's queue is empty at %(when)s, if nothing comes.") % {
        "when": date_format(timezone.localtime(queue.empty_at), "j M, H:i")}  # fmt: skip


def _row(worker: Worker, jobs: Sequence[Job]) -> list[Any]:
    alive = is_alive(worker)
    seen = date_format(timezone.localtime(worker.seen_at), "j M, H:i:s")
    return [
        {"text": worker.name, "mono": True},
        {"state": "pass", "text": _("alive")}
        if alive
        else {"state": "at_risk", "text": _("silent since %(when)s") % {"when": seen}},
        ", ".join(worker.queues),
        machine_words(worker.machine),
        {"links": [{"text": str(job.pk)[:8], "url": reverse("job", args=[job.pk])} for job in jobs]} if jobs else "",
    ]


def machine_words(machine: dict[str, Any]) -> str:
    """Devices with their free memory, else cores and main memory."""
    devices = machine.get("devices") or []
    parts = [
        _("%(name)s, %(free).0f of %(all).0f GiB free") % {
            "name": one["name"], "free": one.get("memory_free_mib", 0) / GIB, "all": one.get("memory_mib", 0) / GIB}
        for one in devices
    ]  # fmt: skip
    if machine.get("memory_mib"):
        parts.append(
            _("%(cores)d cores at load %(load).1f, %(free).1f of %(all).1f GiB free, %(disk).0f GiB of disk") % {
                "cores": machine.get("cores", 0), "load": machine.get("load", 0.0),
                "free": machine.get("memory_free_mib", 0) / GIB, "all": machine["memory_mib"] / GIB,
                "disk": machine.get("disk_free_mib", 0) / GIB}
        )  # fmt: skip
    return "; ".join(parts)
