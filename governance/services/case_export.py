"""Export of a whole case as a ZIP: what was asked, shown, found, decided, written, and the ledger's proofs of it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from django.db import transaction

from governance import dispatch
from governance.errors import KeyDestroyed
from governance.evidence import ledger
from governance.models import Case, Challenge, Report, Upload
from governance.models.vault import subject_readable
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.services.proofs import evidence_of
from governance.services.retention import GONE

README = """Export of one case. It holds personal data in the clear: keep it as such, and delete it when it served.

case.json       the case, its person, works, answers, proofs, challenges, files and dates
decisions.json  each hit with its decision, reasons and signatures
plans.json      plans, runs and verdicts
letters/        every letter as it was written
recipients.json notices to recipients
ledger.json     every entry of the case: leaf, opening, proof of inclusion (RFC 9162) in the tree with `size` and `root`
report/         the signed report and its evidence, where there is one
"""
#: Of every ZIP entry, so that the same case gives the same bytes.
EPOCH = (1980, 1, 1, 0, 0, 0)


@transaction.atomic
def case_export(*, case: Case, actor: Actor) -> bytes:
    """The case as a ZIP; the ledger holds who took it, and its digest.

    Raises:
        NotAllowed: the policy refuses the actor, or they are party to the case.
        KeyDestroyed: the person's data is gone; there is nothing left to export.
    """
    demand(actor, Permission.EXPORT_CASE)
    demand_impartial(case, actor)
    if not subject_readable(case.claimant):
        raise KeyDestroyed(GONE)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _files(case):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)
    made = buffer.getvalue()
    body = {"archive": dispatch.bytes_digest(made), "bytes": len(made)}
    ledger.append(action="case.exported", actor=actor, case=case, body=body)
    return made


def _files(case: Case) -> Iterator[tuple[str, bytes]]:
    yield "README.txt", README.encode()
    yield "case.json", _json(_case(case))
    yield "decisions.json", _json(_decisions(case))
    yield "plans.json", _json(_plans(case))
    for number, letter in enumerate(case.letters.all(), 1):
        head = f"{letter.created_at.isoformat(timespec='seconds')}\n{letter.title}\n\n"
        yield f"letters/{number:03}-{letter.template}.txt", f"{head}{letter.body}\n".encode()
    yield "recipients.json", _json(_notices(case))
    yield "ledger.json", _json(ledger_of(case))
    report = Report.objects.filter(case=case).first()
    if report is not None:
        for name, ref in ((f"{report.number}.pdf", report.pdf), (f"{report.number}.json", report.evidence)):
            if dispatch.exists(ref):
                yield f"report/{name}", dispatch.read_bytes(ref)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True, default=str).encode() + b"\n"


def _case(case: Case) -> dict[str, Any]:
    return {
        "number": case.number,
        "kind": case.kind,
        "law": case.law,
        "channel": case.channel,
        "status": case.status,
        "disposition": case.disposition,
        "received_on": case.received_on,
        "due_on": case.due_on,
        "closed_at": case.closed_at,
        "parent": case.parent.number if case.parent else None,
        "relation": case.relation,
        "person": {"name": case.claimant.name, "email": case.claimant.email, "acts_for": case.claimant.principal},
        "capacity": case.capacity,
        "items": [{"form": i.form, "title": i.title, "text": i.text} for i in case.items.all()],
        "answers": [{"text": one.text, "at": one.given_at} for one in case.answers.all()],
        "proofs": [
            {"level": p.level, "note": p.note, "recorded_by": str(p.recorded_by or ""), "at": p.recorded_at}
            for p in case.proofs.select_related("recorded_by").order_by("id")
        ],
        "challenges": [_challenge(one) for one in case.challenges.order_by("id")],
        "files": [_file(one) for one in case.uploads.order_by("id")],
        "clocks": list(case.clocks.order_by("id").values("law", "version", "due", "ended_at")),
    }


def _challenge(one: Challenge) -> dict[str, Any]:
    """What was shown or tried, with what was seen; the code is of no use any more and stays out."""
    told = {name: getattr(one, name) for name in ("method", "state", "level", "target", "bound", "tries")}
    return {**told, "evidence": evidence_of(one), "begun_at": one.created_at, "settled_at": one.settled_at}


def _file(one: Upload) -> dict[str, Any]:
    told = {name: getattr(one, name) for name in ("name", "kind", "size", "digest", "state", "why", "received_at")}
    return {**told, "work": one.is_work}


def _decisions(case: Case) -> list[dict[str, Any]]:
    found = []
    rows = case.matches.select_related("record__dataset", "decision__proposed_by", "decision__approved_by")
    for match in rows.order_by("id"):
        row = {"record": match.record.record_id, "dataset": match.record.dataset.artifact, "method": match.method}
        decision = getattr(match, "decision", None)
        if decision is not None:
            row |= {
                "choice": decision.choice,
                "ground": decision.ground,
                "reason": decision.reason,
                "proposed": f"{decision.proposed_by}, {decision.proposed_at}",
                "approved": f"{decision.approved_by}, {decision.approved_at}" if decision.approved_by else "",
            }
        found.append({**row, "score": match.score, "excerpt": match.excerpt})
    return found


def _plans(case: Case) -> list[dict[str, Any]]:
    return [
        {
            "attempt": plan.attempt,
            "method": plan.method,
            "state": plan.state,
            "base": plan.base.artifact,
            "candidate": plan.candidate.artifact if plan.candidate else None,
            "policy": plan.policy_digest,
            "confirmed": f"{plan.confirmed_by}, {plan.confirmed_at}" if plan.confirmed_by else "",
            "verdict": plan.verification.verdict if hasattr(plan, "verification") else None,
        }
        for plan in case.plans.select_related("base", "candidate", "confirmed_by", "verification")
    ]


def _notices(case: Case) -> list[dict[str, Any]]:
    return [
        {
            "recipient": notice.recipient.name,
            "channel": notice.channel,
            "text": notice.text,
            "reasons": notice.reasons,
            "told_at": notice.told_at,
            "answered_at": notice.acknowledged_at,
            "answer": notice.acknowledged_note,
        }
        for notice in case.recipient_notices.select_related("recipient")
    ]


def ledger_of(case: Case) -> dict[str, Any]:
    """Every entry of the case: leaf, opening, and the proof of inclusion in the tree as it is now."""
    tree = ledger.tree()
    openings = case.openings.select_related("entry").order_by("entry_id")
    return {
        "size": len(tree),
        "root": tree.root().hex(),
        "entries": [
            {
                "leaf": ledger.as_json(opening.entry),
                "salt": bytes(opening.salt).hex(),
                "body": opening.body,
                "proof": [node.hex() for node in tree.inclusion_proof(opening.entry_id)],
            }
            for opening in openings
        ],
    }
