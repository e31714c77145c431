"""A report or certificate once more in another language, for who reads it: the same evidence, a seal of its own.

The first copy stays the record. The second names its file and its evidence by digest, and says which one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from django.db import transaction

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import leaf, ledger, schema
from governance.models import Case, Job, Paper, Report
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission, demand, demand_impartial
from governance.services import dossier, jobs, letters

KIND = Paper.Kind.COPY.value


def records(case: Case) -> dict[str, Report | Paper]:
    """What can be copied, by number: the full report, and the claimant's certificate once there is one."""
    found: list[Report | Paper] = [case.report, *case.papers.filter(kind=Paper.Kind.CERTIFICATE).order_by("id")]
    return {one.number: one for one in found}


def copy_order(*, report: Report, of: str, language: str, actor: Actor) -> Job:
    """Have the report, or the certificate beside it, set and sealed in another language.

    Raises:
        NotAllowed: the policy refuses the actor, or they are party to the case.
        Unfit: no such record, or no language that it can be copied into. Conflict: it was ordered and did not fail.
    """
    demand(actor, Permission.COPY_REPORT)
    demand_impartial(report.case, actor)
    if actor.user is None:
        raise NotAllowed("A person orders a copy.")
    record = records(report.case).get(of)
    if record is None:
        raise Unfit(f"“{of[:40]}” is neither this report nor its certificate.")
    told = schema.parse(dispatch.read_bytes(record.evidence))["report"]
    if language not in LANGUAGES or language == told["language"]:
        known = ", ".join(code for code in LANGUAGES if code != told["language"])
        raise Unfit(f"“{language[:20]}” is no language for a copy of this one; choose one of {known}.")
    number = f"{record.number}-{language.upper()}"
    key = f"paper:{KIND}:{number}"
    if before := Job.objects.filter(key=key).first():
        if before.state not in (Job.State.FAILED, Job.State.CANCELLED):
            raise Conflict("This copy was ordered before; the signing worker makes it.")
        jobs.run_again(before, actor)
        return before
    order = {"kind": KIND, "of": record.number, "number": number, "language": language, "size": told.get("size", "A4")}
    with transaction.atomic():
        spec = dispatch.put_bytes(dispatch.canonical_text(order).encode())
        body = {"of": record.number, "file": record.pdf, "language": language}
        ledger.append(action="report.copy_ordered", actor=actor, case=report.case, body=body)
        return dispatch.enqueue(kind="paper", key=key, case=report.case, spec=spec)


def document(order: Mapping[str, Any], case: Case | None) -> dict[str, Any]:
    """The record's document as the copy carries it: nothing that was measured, decided or dated is another."""
    record = records(case).get(order["of"]) if case else None
    if case is None or record is None:
        raise Unfit("A copy is of a report or certificate of a case.")
    found = schema.parse(dispatch.read_bytes(record.evidence))
    first = found["report"]
    found["report"] = {
        **{name: value for name, value in first.items() if name != "logo"},
        "number": order["number"],
        "language": order["language"],
        "copy": {
            "of": record.number, "language": first["language"], "pdf": record.pdf, "evidence": record.evidence,
            "made_at": leaf.timestamp(datetime.now(UTC)),
        },
    }  # fmt: skip
    if found["case"].get("remedies"):
        found["case"]["remedies"] = letters.remedies(case, order["language"])
    # What it is set with now, so that its own bytes can be made again.
    software = {name: version(name) for name in dossier.SOFTWARE}
    return {**found, "ledger": None, "software": software, "fonts": dossier.font_digests()}
