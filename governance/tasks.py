"""Celery tasks: load by id, call one service. Arguments are ids, digests and numbers, never personal data."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from governance.services import (
    attestations,
    auditor_bundles,
    batches,
    containment,
    deadlines,
    drafts,
    feed_pages,
    feed_signing,
    figure_mails,
    file_letters,
    idempotency,
    jobs,
    links,
    matching,
    news,
    notification,
    outbox,
    papers,
    patches,
    planning,
    recipients,
    regressions,
    release,
    renewals,
    reporting,
    rescans,
    reservations,
    retention,
    tallies,
    unclaimed,
    unlearning,
    uploads,
    verification,
    webhooks,
    witnesses,
    work_files,
    workers,
)

HOUSE: dict[str, jobs.Handler] = {
    "match": matching.matching_start,
    "plan": planning.plan_propose,
    "unlearn": unlearning.unlearning_start,
    "verify": verification.verification_start,
    "report": reporting.report_write,
    "paper": papers.paper_write,
    "notify": notification.case_close,
    attestations.KIND: attestations.attestation_make,
}
DONE: dict[str, jobs.Handler] = {
    "engine.match": matching.matching_finish,
    "engine.unlearn": unlearning.unlearning_finish,
    "engine.verify": verification.verification_finish,
    regressions.KIND: regressions.recheck_finish,
    rescans.KIND: rescans.rescan_finish,
    patches.KIND: patches.patch_finish,
}
FAILED: dict[str, jobs.Handler] = {
    "engine.unlearn": unlearning.unlearning_fail,
    "engine.verify": verification.verification_fail,
    regressions.KIND: regressions.recheck_fail,
    rescans.KIND: rescans.rescan_fail,
}


@shared_task(name="governance.run_job")
def run_job(job_id: str, attempt: int) -> None:
    """A job of the house."""
    jobs.job_run(job_id=job_id, attempt=attempt, handlers=HOUSE)


@shared_task(name="governance.job_started")
def job_started(job_id: str, attempt: int, worker: str = "") -> None:
    """An engine took the job; one that holds an old attempt is told to stop."""
    jobs.engine_start(job_id=job_id, attempt=attempt, worker=worker)


@shared_task(name="governance.job_progress")
def job_progress(job_id: str, attempt: int, events: list[dict[str, Any]]) -> None:
    """An engine's heartbeat."""
    jobs.job_beat(job_id=job_id, attempt=attempt, events=events)


@shared_task(name="governance.job_finished")
def job_finished(job_id: str, attempt: int, result: str, summary: dict[str, Any]) -> None:
    """An engine's result."""
    jobs.job_succeed(job_id=job_id, attempt=attempt, result=result, summary=summary, then=DONE)


@shared_task(name="governance.job_failed")
def job_failed(job_id: str, attempt: int, error: dict[str, Any]) -> None:
    """An engine's failure."""
    jobs.engine_fail(job_id=job_id, attempt=attempt, error=error, then=FAILED)


@shared_task(name="governance.worker_seen")
def worker_seen(name: str, queues: list[str], every: float, machine: dict[str, Any]) -> None:
    """A worker is alive."""
    workers.worker_seen(name=name, queues=queues, every=every, machine=machine)


@shared_task(name="governance.sweep_jobs")
def sweep_jobs() -> int:
    """Lost messages, lost workers; earlier cases that a later version has yet to be asked about."""
    swept = batches.batches_sweep() + jobs.jobs_sweep(then=FAILED) + containment.sweep() + recipients.notices_sweep()
    return swept + regressions.rechecks_plan() + regressions.recheck_next() + attestations.attestations_sweep()


@shared_task(name="governance.send_messages")
def send_messages() -> int:
    """Letters and events that wait, word from claimants; files that no scanner has seen yet."""
    webhooks.webhooks_publish()
    sent = links.asked_sweep(notification.letter_send) + outbox.outbox_sweep()
    scanned = uploads.uploads_sweep() + work_files.sweep()
    return sent + scanned + news.news_mail() + file_letters.files_tell()


@shared_task(name=outbox.TASK)
def letter_try(pk: int) -> None:
    """A letter that was just written."""
    outbox.letter_try(pk)


@shared_task(name="governance.watch_deadlines")
def watch_deadlines() -> int:
    """Deadlines that come near or have passed."""
    return deadlines.deadlines_watch()


@shared_task(name="governance.count_figures")
def count_figures() -> int:
    """Cases that changed since the figures were last counted."""
    return tallies.tallies_run()


@shared_task(name="governance.recount_figures")
def recount_figures() -> int:
    """Every case once a day, so that a difference is seen and put right."""
    return tallies.tallies_recount()


@shared_task(name="governance.mail_figures")
def mail_figures() -> int:
    """Figures for those of the staff who asked for them."""
    return figure_mails.mails_send()


@shared_task(name="governance.dispose")
def dispose() -> int:
    """Old weights whose day has come, personal data and drafts whose time is over, answers of calls a day old."""
    gone = drafts.drafts_expire() + idempotency.answers_forget()
    return release.dispose_due() + retention.retention_run() + gone


@shared_task(name="governance.recheck_reservations")
def recheck_reservations() -> int:
    """Addresses whose reservations are read again."""
    return reservations.reservations_recheck()


@shared_task(name=batches.TASK)
def run_batch(pk: int) -> None:
    """A batch of works."""
    batches.batch_run(pk, pieces=batches.AT_ONCE)


@shared_task(name=renewals.TASK)
def renew_stamps() -> int:
    """Reports whose time stamp comes near its end."""
    return renewals.stamps_renew()


@shared_task(name="governance.discard_bundles")
def discard_bundles() -> int:
    """Auditors' bundles whose days are over, and files that a worker stored and left without a row."""
    return auditor_bundles.bundles_discard() + unclaimed.sweep()


@shared_task(name="governance.sign_ledger")
def sign_ledger() -> list[str]:
    """A checkpoint of what was added, its outside time, and the witnesses' signatures; what went wrong."""
    return witnesses.ledger_sign()


@shared_task(name=feed_pages.TASK)
def sign_feeds() -> int:
    """Pages of the public feeds that changed, and those that are a day old."""
    return feed_signing.feeds_sign()
