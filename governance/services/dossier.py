"""The facts of a case as the evidence document wants them (`evidence/evidence-1.schema.json`). Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.urls import reverse

from governance import dispatch
from governance.clocks import LAWS, rows
from governance.evidence import engine_results, leaf, sentences
from governance.kinds import rule
from governance.models import (
    Case,
    CaseClock,
    Disposal,
    Disposition,
    Job,
    LedgerOpening,
    Match,
    ModelVersion,
    Plan,
    Proof,
    Recipient,
    RecipientNotice,
    Role,
    User,
    VersionOrder,
)
from governance.models.vault import commitment_key
from governance.notifications.languages import nearest
from governance.secrets import BASE_DIR
from governance.selectors import organisation
from governance.services import dossier_parts, dossier_policy, learned, origins, recipients

FONTS = BASE_DIR / "static" / "fonts"
SOFTWARE = ("Django", "weasyprint", "pyHanko", "cryptography", "pikepdf", "rfc8785", "torch", "transformers", "scipy")
POLICY_ONLY = "Treated under the company's policy: the law reserves rights but orders no change of weights."


def document(case: Case, *, number: str, issued_at: datetime, own: bool = False) -> dict[str, Any]:
    """Everything that the report of this case may rest on, without the ledger's proof. What was written about a private
    person stands in papers that are their `own` alone."""
    plans = list(
        case.plans.select_related("base__model", "candidate", "reference", "chosen_by", "confirmed_by", "leader")
    )
    final = _final(case, plans)
    return {
        "schema": "lethe-evidence/1",
        "report": {
            "number": number,
            "issued_at": leaf.timestamp(issued_at),
            "language": nearest(case.language),
            "audience": "claimant",
            "issuer": organisation.current().name,
            "verify_at": settings.BASE_URL + reverse("verify"),
            "kind": "no_data" if case.disposition == Disposition.NO_DATA else "compliance",
            "size": dossier_parts.sheet(case),
        },
        "case": _case(case, plans, own),
        "matching": _matching(case),
        "policy": _policy(final),
        "attempts": [_attempt(plan) for plan in plans if plan.confirmed_at],
        "models": _models(case, final),
        **dossier_parts.others(case, final),
        "deployments": _deployments(final),
        "disposals": [_disposal(d) for d in _disposals(case, final)],
        "recipients": _recipients(case),
        **dossier_parts.downstream(case),
        "signatures": list(_signatures(case, plans)),
        **dossier_parts.rates(case),
        "ledger": None,
        "software": {name: version(name) for name in SOFTWARE},
        "fonts": font_digests(),
    }


def font_digests() -> dict[str, str]:
    """Every font that travels with the program, by digest."""
    return {path.stem: dispatch.bytes_digest(path.read_bytes()) for path in sorted(FONTS.rglob("*.woff2"))}


def _final(case: Case, plans: list[Plan]) -> Plan | None:
    """The plan that was released, else the last one that ran."""
    tried = [plan for plan in plans if plan.confirmed_at]
    if hasattr(case, "release"):
        return next(plan for plan in tried if plan.candidate_id == case.release.version_id)
    return tried[-1] if tried else None


def _case(case: Case, plans: list[Plan], own: bool) -> dict[str, Any]:
    law = LAWS[case.law]
    levels = sorted(set(case.proofs.counting().values_list("level", flat=True)))
    items = dossier_parts.items(case, own=own)
    return {
        "number": case.number,
        "kind": case.kind,
        "received_on": case.received_on.isoformat(),
        "disposition": case.disposition,
        "reason": _reason(case, plans, own),
        "laws": [_law(clock) for clock in rows.active(case) or [rows.first_of(case)]],
        "asked": " ".join([rule(case.kind).asked, *([POLICY_ONLY] if law.policy_only else [])]),
        "proof": [{"level": f"P{level}", "shown": str(Proof.Level(level).label)} for level in levels],
        "clocks": dossier_parts.clocks(case, own=own),
        "items_count": len(items),
        "items_accepted": dossier_parts.items_accepted(case),
        "items": [one for one in items if one["title"]],
    }


def _law(clock: CaseClock) -> dict[str, Any]:
    """A law of the case, in the version that was in force on receipt."""
    return {
        "citation": rows.rule_of(clock).citation,
        "title": LAWS[clock.law].title,
        "version": f"{clock.law} {clock.version}",
        "policy_only": LAWS[clock.law].policy_only,
    }


def _reason(case: Case, plans: list[Plan], own: bool) -> str:
    """Why a request is not fulfilled, in whole sentences; empty where it is."""
    if case.disposition in (Disposition.REFUSED, Disposition.EXCLUDED):
        return dossier_parts.decided(case, own=own)
    if case.disposition == Disposition.NOT_FULFILLED and (gone := _withdrawn(case)):
        return gone
    if case.disposition == Disposition.NOT_FULFILLED and not plans:
        given_up = LedgerOpening.objects.filter(case=case, entry__action="model.withdrawal_proposed").last()
        return f"No plan could be made. {given_up.body['why']}" if given_up else "No plan could be made."
    if case.disposition == Disposition.NOT_FULFILLED:
        ends = [f"plan {plan.attempt} ({dispatch.METHODS[plan.method].title}): {_verdict(plan)}" for plan in plans]
        return "No plan ended in a version that could take the old one's place: " + "; ".join(ends) + "."
    return ""


def _withdrawn(case: Case) -> str:
    """That the model which learned the records left service, where nothing was unlearned because of that."""
    learned = ModelVersion.objects.filter(datasets__records__matches__case=case)
    orders = VersionOrder.objects.filter(kind="withdraw", done_at__isnull=False, version__in=learned)
    order = orders.select_related("version__model").order_by("-done_at").first()
    if order is None or order.done_at is None:
        return ""
    gone = Disposal.objects.filter(version=order.version, what=Disposal.What.WEIGHTS).first()
    day = f" Its weights are deleted by {gone.due_on:%d %B %Y}." if gone and not gone.deleted_at else ""
    return (
        f"{order.version}, which learned the records, was withdrawn from service on {order.done_at:%d %B %Y}, so "
        f"nothing was unlearned from it.{day} The records are left out of future training."
    )


def _verdict(plan: Plan) -> str:
    verification = getattr(plan, "verification", None)
    return verification.verdict.replace("_", " ") if verification else "the run failed"


def _matching(case: Case) -> dict[str, Any]:
    key = commitment_key(case.claimant.subject)
    rows = []
    for match in case.matches.select_related("record", "decision"):
        decision = getattr(match, "decision", None)
        rows.append(
            {
                "commitment": leaf.record_commitment(key, f"{match.record.dataset_id}/{match.record.record_id}"),
                "method": match.method,
                "score": match.score,
                "decision": decision.choice if decision else "undecided",
                "ground": decision.ground if decision else "",
            }
        )
    counts = Counter(row["decision"] for row in rows)
    choices = ("erase", "exclude", "refuse", "undecided")
    return {
        **dossier_parts.data_sets(case),
        "records": rows,
        "counts": {"found": len(rows), **{c: counts[c] for c in choices}},
    }


def _recorded(plan: Plan) -> dict[str, Any]:
    """The ledger entry that fixed this plan's thresholds."""
    return {"index": confirmation(plan).entry_id, "at": leaf.timestamp(confirmation(plan).entry.at)}


def confirmation(plan: Plan) -> LedgerOpening:
    """The opening of the entry `plan.confirmed` of this plan."""
    openings = LedgerOpening.objects.select_related("entry").filter(
        case_id=plan.case_id, entry__action="plan.confirmed"
    )
    return next(o for o in openings if o.body["attempt"] == plan.attempt)


def _policy(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    text = dispatch.canonical_text(plan.policy)
    return {"digest": plan.policy_digest, "text": text, "recorded": _recorded(plan), **dossier_policy.eased(plan)}


def _attempt(plan: Plan) -> dict[str, Any]:
    method = dispatch.METHODS[plan.method]
    job = _run(plan)
    started, finished = _times(plan, job)
    config = dispatch.canonical_text({"seed": plan.seed, **plan.config})
    verification = getattr(plan, "verification", None)
    return {
        "number": plan.attempt,
        "method": plan.method,
        "title": method.title,
        "guarantee": method.guarantee.value,
        "paper": method.paper,
        "config": config,
        "config_digest": dispatch.text_digest(config),
        "policy_digest": plan.policy_digest,
        "compared": dossier_policy.compared(plan),
        "thresholds_recorded": _recorded(plan),
        **dossier_policy.ended(plan),
        "started_at": leaf.timestamp(started),
        "finished_at": leaf.timestamp(finished),
        "candidate": plan.candidate.artifact if plan.candidate else None,
        "construction": _construction(plan, job),
        "deletion": _deletion(plan, job),
        "verification": engine_results.verification(verification.document, document_digest=verification.artifact)
        if verification
        else None,
        "note": _note(plan, job),
    }


def _run(plan: Plan) -> Job:
    """The job that made the plan's candidate, or failed to: its own, or that of the plan it rides with."""
    runs = list(Job.objects.filter(plan=plan.leader or plan, kind="engine.unlearn").order_by("created_at"))
    whole = [job for job in runs if job.shard is None]
    return (whole or [job for job in runs if job.state == Job.State.FAILED] or runs)[0]


def _times(plan: Plan, run: Job) -> tuple[datetime, datetime]:
    """When the plan's own work ran. A rider's is its verification: the pass it rides with may have begun before."""
    verification = getattr(plan, "verification", None)
    job = verification.job if plan.leader_id and verification else run
    first = Job.objects.filter(plan=job.plan, kind=job.kind, started_at__isnull=False).order_by("started_at").first()
    started = (first or job).started_at or job.created_at
    return started, job.finished_at or job.created_at


def _note(plan: Plan, run: Job) -> str:
    if plan.candidate is None:
        return "The run failed: " + " ".join(run.error.get("messages", []))
    if plan.leader_id:
        return (
            "The records of several requests were taken out in one run (one pass), which a plan of another request "
            "started; the times here are those of this request's own verification."
        )
    return ""


def _deletion(plan: Plan, run: Job) -> dict[str, Any] | None:
    """What an exact deletion trained again, by the engine's own measures, and what the engine claims about it."""
    if not plan.deletion or plan.candidate is None or not run.result:
        return None
    metrics = dispatch.read_json(run.result)["metrics"]
    claim, slices = metrics.get("claim"), len(plan.deletion["counts"][0])
    return {
        "lineage_before": plan.deletion["lineage"],
        "lineage_after": metrics["lineage_digest"],
        "retrained": [
            {"shard": int(shard), "first_slice": first, "slices": slices}
            for shard, first in sorted(metrics["retrained"].items(), key=lambda item: int(item[0]))
        ],
        "shards": len(plan.deletion["counts"]),
        # None of them is in the new lineage: a candidate of which that is not true was never taken over.
        "records_left_out": plan.forget_count,
        "records_in_pass": metrics["forgotten_records"],
        "cases_in_pass": 1 + Plan.objects.filter(candidate=plan.candidate).exclude(pk=plan.pk).count(),
        "passes": metrics["passes"],
        "retraining_passes": metrics["retraining_passes"],
        "claim": {name: claim[name] for name in ("code", "sentence", "facts")} if claim else None,
    }


def deletion_claim(plan: Plan) -> sentences.Deletion:
    """What may be claimed about a plan's exact deletion; an empty claim where the engine makes none."""
    found = _deletion(plan, _run(plan))
    claim = (found or {}).get("claim") or {"code": "", "sentence": ""}
    left_out = found["records_left_out"] if found else 0
    return sentences.Deletion(code=claim["code"], sentence=claim["sentence"], records_left_out=left_out)


def constructed(plan: Plan) -> bool:
    """Whether the facts of the run carry "exact by construction", so that a pass may close as fulfilled."""
    if plan.deletion:
        return deletion_claim(plan).whole(plan.forget_count)
    made = _construction(plan, _run(plan))
    return made is not None and sentences.Construction(**made).whole(plan.forget_count)


def _construction(plan: Plan, job: Job) -> dict[str, Any] | None:
    """How a retrained model was made, as the engine measured it.

    Of a plan that rode along the records left out are its own: the run was told to leave them aside, and the version
    lists them, or it would not have been handed over.
    """
    made = dispatch.read_json(job.result)["metrics"].get("construction") if job.result else None
    if made and made["tokenizer_independent"] and not origins.tokenizer_made_here(plan.base.artifact):
        # Its base was handed in: the file that says from what its tokenizer was made is its maker's word.
        made = {**made, "tokenizer_independent": False}
    if made and plan.leader_id:
        return {**made, "records_left_out": plan.forget_count}
    return dict(made) if made else None


def _models(case: Case, plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    after = case.release.version if hasattr(case, "release") else None
    verified = getattr(plan, "verification", None)
    made = dossier_parts.reference_made(verified.document if verified else {})
    return {
        "name": plan.base.model.name,
        "before": {"revision": plan.base.revision, "digest": plan.base.artifact},
        "after": {"revision": after.revision, "digest": after.artifact} if after else None,
        "reference": {"digest": plan.reference.artifact, "made": made} if plan.reference else None,
    }


def _deployments(plan: Plan | None) -> list[dict[str, Any]]:
    if plan is None:
        return []
    return [
        {"place": d.place, "revision": d.version.revision, "state": state, "since": leaf.timestamp(d.changed_at)}
        for d, state in learned.places(plan)
    ]


def _disposals(case: Case, plan: Plan | None) -> list[Disposal]:
    """What goes for this case, and, where several were deleted in one pass, for the one that was released first; and
    what an earlier case left to be deleted of a version that learned these records."""
    together = Plan.objects.filter(candidate=plan.candidate).values("case") if plan and plan.candidate else []
    older = Q(deleted_at=None, version__in=learned.versions(case) if plan else [])
    return list(Disposal.objects.filter(Q(case=case) | Q(case__in=together) | older).order_by("id"))


def _disposal(disposal: Disposal) -> dict[str, Any]:
    return {
        "what": disposal.what,
        "digest": disposal.artifact,
        "due_on": disposal.due_on.isoformat(),
        "deleted_at": leaf.timestamp(disposal.deleted_at) if disposal.deleted_at else None,
    }


def _recipients(case: Case) -> list[dict[str, Any]]:
    """Who got what held the records, when they were told, or why they were not."""
    if not hasattr(case, "release"):
        return []
    notices = {notice.recipient_id: notice for notice in case.recipient_notices.all()}
    return [_recipient(one, notices.get(one.pk)) for one in recipients.concerned(case)]


def _recipient(recipient: Recipient, notice: RecipientNotice | None) -> dict[str, Any]:
    told = leaf.timestamp(notice.told_at) if notice and notice.told_at else None
    row = {"name": recipient.name, "received_on": recipient.received_on.isoformat(), "told_at": told}
    return {**row, "excused": notice.reasons} if notice and notice.reasons else row


def _signatures(case: Case, plans: list[Plan]) -> Iterator[dict[str, Any]]:
    match = Match.objects.filter(case=case, decision__isnull=False).select_related("decision").first()
    if match:
        decision = match.decision
        yield _signature(decision.proposed_by, "proposed the decision", decision.proposed_at)
        if decision.approved_by and decision.approved_at:
            yield _signature(decision.approved_by, "approved the decision", decision.approved_at)
    for plan in plans:
        if plan.chosen_by and plan.chosen_at:
            yield _signature(plan.chosen_by, f"chose plan {plan.attempt}", plan.chosen_at)
        if plan.confirmed_by and plan.confirmed_at:
            yield _signature(plan.confirmed_by, f"confirmed plan {plan.attempt}", plan.confirmed_at)
    release = getattr(case, "release", None)
    if release and release.released_by and release.legal_by:
        yield _signature(release.released_by, "released the new version", release.released_at)
        yield _signature(release.legal_by, "released the new version for legal", release.legal_at)


def _signature(user: User, act: str, at: datetime | None) -> dict[str, Any]:
    return {"name": str(user), "role": str(Role(user.role).label), "act": act, "at": leaf.timestamp(at) if at else ""}
