"""Papers beside the full report: certificate, letter, statement of a quarter, register of processing. Sealed alike.

Runs in the signing worker. An order is a job of its own; what is sealed once is not sealed again when the job repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.clocks import LAWS
from governance.errors import GovernanceError, KeyDestroyed, NotAllowed, Unfit
from governance.evidence import leaf, ledger, opened, pdf, schema, seal
from governance.evidence.report_kinds import KINDS, SIZES
from governance.logs import without_secrets
from governance.models import Case, Job, Paper, SigningKey, User
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission, demand
from governance.selectors import organisation
from governance.selectors import statement as figures
from governance.services import (
    checkpoints,
    dossier,
    dossier_parts,
    known_keys,
    letters,
    processing,
    report_copies,
    reporting,
    retention,
    seal_ends,
    seals,
    unclaimed,
)
from governance.services import organisation as house
from governance.statement_figures import Figure, Period

SYSTEM = Actor.system("reporting")
SEALED_ACTION = "paper.sealed"
#: Kinds that are about a case, and kinds that staff order.
OF_CASE, OF_HOUSE = ("certificate", "letter"), ("statement", "register")
Order = Mapping[str, Any]


def case_papers_order(case: Case) -> None:
    """Have the claimant's certificate and the letter that closed the case sealed. Runs in the closing transaction."""
    if not hasattr(case, "report"):
        return
    size = dossier_parts.sheet(case)
    for kind in OF_CASE:
        if kind == "letter" and _last_letter(case) is None:
            continue
        spec = {"kind": kind, "size": size, "language": case.language}
        _enqueue(f"paper:{kind}:{case.pk}", spec, case)


def paper_order(
    *, kind: str, size: str, language: str, actor: Actor, start: date | None = None, end: date | None = None
) -> Job:
    """Order a statement of some days, or the register as it is now, in a language of the letters.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: an unknown kind, size or language, or days that are no period.
    """
    demand(actor, Permission.SEE_DASHBOARD)
    if actor.user is None:
        raise NotAllowed("A person orders a paper.")
    problems = []
    if kind not in OF_HOUSE:
        problems.append(f"“{kind[:20]}” is no paper that can be ordered; choose {' or '.join(OF_HOUSE)}.")
    if size not in SIZES:
        problems.append(f"“{size[:20]}” is no size of paper; choose {' or '.join(SIZES)}.")
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        problems.append(f"“{language[:20]}” is no language that papers are written in; choose one of {known}.")
    if kind == "statement" and (not start or not end or start > end or start > timezone.localdate()):
        problems.append("A statement needs a first and a last day, the first not later than the last nor than today.")
    if problems:
        raise Unfit(problems)
    spec = {"kind": kind, "size": size, "language": language, "by": actor.user.pk}
    if start and end:
        spec |= {"start": start.isoformat(), "end": min(end, timezone.localdate()).isoformat()}
    return _enqueue(f"paper:{kind}:{actor.user.pk}:{timezone.now():%Y%m%dT%H%M%S}", spec, None)


def _enqueue(key: str, spec: Order, case: Case | None) -> Job:
    with transaction.atomic():
        text = dispatch.canonical_text(dict(spec)).encode()
        return dispatch.enqueue(kind="paper", key=key, case=case, spec=dispatch.put_bytes(text))


def paper_write(*, job: Job) -> Paper:
    """Job `paper`: write, seal and register one paper.

    Raises:
        Unfit: this worker has no seal. SealUnavailable: key or time cannot be had now; the paper waits.
        DocumentError: its figures contradict each other; nothing is printed.
        KeyDestroyed: the person was erased meanwhile; nothing of the paper stays.
    """
    if done := Paper.objects.filter(job=job).first():
        return done
    order = dispatch.read_json(job.spec)
    case = job.load_case() if job.case_id else None
    seal_ends.check_current()
    known_keys.check_current(SigningKey.Purpose.LEDGER)
    key, authority = seals.seal_open(), seals.time_authority()
    if authority:
        authority.ask()
    document = _DOCUMENTS[order["kind"]](order, case)
    document["report"] |= {"seal": seals.described(key), **house.paper_logo()}
    evidence = proved(document, case)
    sealed = seal.seal(pdf.render(evidence), key=key, authority=authority)
    refs = unclaimed.store(pdf=sealed, evidence=evidence)
    try:
        return _register_paper(job, case, order, document["report"]["number"], refs)
    except (GovernanceError, DatabaseError):
        kept = Paper.objects.filter(job=job).values_list("pdf", "evidence").first() or ()
        for ref in set(refs.values()) - set(kept):
            dispatch.discard(ref)
        raise


@transaction.atomic
def _register_paper(job: Job, case: Case | None, order: Order, number: str, refs: dict[str, str]) -> Paper:
    """The row by which an erasure finds the files, kept apart from one that goes on now (`retention`)."""
    if case and retention.claimant_lock(case.claimant_id):
        raise KeyDestroyed(retention.GONE)
    paper = Paper.objects.create(
        job=job, case=case, kind=order["kind"], number=number, size=order["size"], language=order["language"],
        period=f"{order['start']}/{order['end']}" if "start" in order else "", **refs,
    )  # fmt: skip
    unclaimed.claim(refs)
    ledger.append(action=SEALED_ACTION, actor=SYSTEM, case=case, body={**refs, "kind": paper.kind})
    return paper


def proved(document: dict[str, Any], case: Case | None) -> bytes:
    """The document's bytes with its own entry in the ledger and the proofs of all entries that it rests on."""
    schema.validate(document)
    with transaction.atomic():
        entry = ledger.append(
            action=schema.EVIDENCE_ACTION, actor=SYSTEM, case=case, body={"evidence": schema.core_digest(document)}
        )
    rests_on = [*opened.rests_on(document), entry.index]
    document["ledger"] = reporting.proofs_of(rests_on, checkpoints.checkpoint_make())
    return schema.build(document)


def _last_letter(case: Case) -> Any:
    return case.letters.filter(template__in=letters.ENDINGS).order_by("-id").first()


def _certificate(order: Order, case: Case | None) -> dict[str, Any]:
    if case is None:
        raise Unfit("A certificate is about a case.")
    number = _number("certificate", case, order)
    document = dossier.document(case, number=number, issued_at=datetime.now(UTC), own=True)
    document["report"] |= {
        "kind": "certificate", "size": order["size"], "language": order["language"], "full": case.report.number,
    }  # fmt: skip
    document["case"]["remedies"] = letters.remedies(case, order["language"])
    return document


def _letter(order: Order, case: Case | None) -> dict[str, Any]:
    found = _last_letter(case) if case else None
    if case is None or found is None:
        raise Unfit("No letter closed this case.")
    content = {
        "case": case.number, "disposition": case.disposition, "received_on": case.received_on.isoformat(),
        "template": found.template, "version": found.version, "text": found.digest, "title": found.title,
        # Whoever is shown the paper must not thereby hold the key to the page.
        "body": without_secrets(found.body), "written_at": leaf.timestamp(found.created_at),
        "reviewed": letters.text_reviewed(found.digest, found.language),
    }  # fmt: skip
    return _paper({**order, "language": found.language}, _number("letter", case, order), "claimant", content)


def _statement(order: Order, _case: Case | None) -> dict[str, Any]:
    start, end = date.fromisoformat(order["start"]), date.fromisoformat(order["end"])
    actor = Actor.of(User.objects.get(pk=order["by"]))
    found = figures.statement(actor, Period(code="dates", start=start, end=end))
    keys = [row.key for row in found.tables["laws"].rows] if "laws" in found.tables else []
    content = {
        "start": order["start"], "end": order["end"], "uncounted": found.noted,
        "counted_at": leaf.timestamp(found.counted_at or timezone.now()),
        "figures": [_figure(one) for one in found.figures.values()],
        "tables": [
            {"code": one.code, "columns": list(one.columns),
             "rows": [{"key": row.key, "values": list(row.values)} for row in one.rows]}
            for one in found.tables.values()
        ],
        "regimes": [
            {"key": key, "title": LAWS[key].title, "citation": LAWS[key].citation} for key in keys if key in LAWS
        ],
    }  # fmt: skip
    return _paper(order, _house_number("statement", f"{order['start']}-{order['end']}"), "authority", content)


def _figure(one: Figure) -> dict[str, Any]:
    return {
        "code": one.code, "unit": one.unit, "value": one.value, "of": one.of, "before": one.before,
        "before_of": one.before_of, "low": one.low, "high": one.high, "estimate": one.estimate,
    }  # fmt: skip


def _register(order: Order, _case: Case | None) -> dict[str, Any]:
    content = processing.register()
    return _paper(order, _house_number("register", content["as_of"]), "authority", content)


def _paper(order: Order, number: str, audience: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema": "lethe-paper/1",
        "report": {
            "number": number, "issued_at": leaf.timestamp(datetime.now(UTC)), "language": order["language"],
            "audience": audience, "issuer": organisation.current().name, "kind": order["kind"], "size": order["size"],
            "verify_at": settings.BASE_URL + reverse("verify"),
        },
        "content": content,
        "ledger": None,
        "software": {name: version(name) for name in dossier.SOFTWARE},
        "fonts": dossier.font_digests(),
    }  # fmt: skip


def _number(kind: str, case: Case, order: Order) -> str:
    return f"{KINDS[kind].prefix}-{case.number.removeprefix('LT-')}" + ("-US" if order["size"] == "Letter" else "")


def _house_number(kind: str, scope: str) -> str:
    """`LS-20260701-20260930-2`: the second statement of these days."""
    stem = f"{KINDS[kind].prefix}-{scope.replace('-', '') if kind == 'register' else _days(scope)}"
    return f"{stem}-{1 + Paper.objects.filter(number__startswith=f'{stem}-').count()}"


def _days(scope: str) -> str:
    digits = scope.replace("-", "")
    return f"{digits[:8]}-{digits[8:]}"


_DOCUMENTS: Mapping[str, Callable[[Order, Case | None], dict[str, Any]]] = {
    "certificate": _certificate, "letter": _letter, "statement": _statement, "register": _register,
    report_copies.KIND: report_copies.document,
}  # fmt: skip
