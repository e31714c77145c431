"""Reporting: evidence first into the ledger, then a PDF around it, sealed; the sealed file's digest into the ledger.

Runs in the signing worker, the only process that has the keys. Rendering and sealing hold no transaction.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation

from governance import dispatch
from governance.evidence import bundle, ledger, opened, pdf, renewal, schema, seal, sentences
from governance.evidence.errors import ProofError, SealUnavailable
from governance.lifecycle import advance
from governance.models import Case, Job, LedgerCheckpoint, LedgerOpening, Report, SigningKey, Status
from governance.notifications.languages import LANGUAGES, SOURCE
from governance.policies import Actor
from governance.services import checkpoints, dossier, known_keys, organisation, seal_ends, seals, unclaimed, witnesses

SYSTEM = Actor.system("reporting")


def report_write(*, job: Job) -> Report:
    """Job `report`: write, seal and register the report of a case, then prove its entry; goes on where it was stopped.

    Raises:
        Unfit: this worker was given no seal.
        SealUnavailable: key or time stamp authority cannot be had now; the report waits, nothing was written.
        DocumentError: the facts contradict each other; nothing is printed.
    """
    seals.folder()
    case = job.load_case()
    report = Report.objects.filter(case=case).first() or _sealed(case)
    # Only an entry that is durable is signed: the checkpoint comes after the transaction that wrote it.
    made = unclaimed.store(proofs=bundle_proofs(report))
    with transaction.atomic():
        Report.objects.filter(pk=report.pk).update(**made)
        unclaimed.claim(made)
        advance(case=case, to=Status.NOTIFICATION, actor=SYSTEM, reason="Report signed")
    report.refresh_from_db()
    return report


def _sealed(case: Case) -> Report:
    """The report, sealed and in the ledger by the digests of all files that a bundle holds."""
    # Asked for first: a report that has to wait leaves no entry in the ledger for each time that it was tried.
    seal_ends.check_current()
    known_keys.check_current(SigningKey.Purpose.LEDGER)
    key, authority = seals.seal_open(), seals.time_authority()
    if authority:
        authority.ask()
    evidence = _evidence(case, seals.described(key))
    document = schema.parse(evidence)
    sealed = seal.seal(pdf.render(evidence), key=key, authority=authority)
    files = {"pdf": sealed, "evidence": evidence, "readme": bundle.readme(document)}
    refs = unclaimed.store(**files)
    headlines = {language: _headline(document, language) for language in LANGUAGES}
    with transaction.atomic():
        seal_ends.seal_register(key.certificate)
        report = Report.objects.create(
            case=case,
            number=document["report"]["number"],
            headline=headlines[SOURCE][:240],
            headlines=headlines,
            renew_at=renewal.due_at(sealed) if authority else None,
            **refs,
        )
        unclaimed.claim(refs)
        ledger.append(action=bundle.SEALED_ACTION, actor=SYSTEM, case=case, body=refs)
    return report


def _headline(document: dict[str, Any], language: str) -> str:
    with translation.override(language):
        return sentences.statement(schema.facts(document)).headline


def bundle_proofs(report: Report) -> bytes:
    """The proof of the report's own entry, and that the ledger only grew since its evidence was entered.

    Raises:
        SealUnavailable: witnesses that the house demands, or the outside time, are still to come.
    """
    opening = LedgerOpening.objects.get(case=report.case, entry__action=bundle.SEALED_ACTION, body__pdf=report.pdf)
    signed = checkpoints.checkpoint_make()
    problems = witnesses.witnesses_ask(signed)
    seen = list(signed.cosignatures.all())
    if len(seen) < settings.WITNESS_QUORUM:
        waiting = f"{len(seen)} of {settings.WITNESS_QUORUM} witnesses signed the ledger's checkpoint."
        raise SealUnavailable([waiting, *problems])
    try:
        time = witnesses.checkpoint_time(signed)
    except ProofError as error:
        raise SealUnavailable(error.problems) from error
    told = schema.parse(dispatch.read_bytes(report.evidence))["ledger"]["checkpoint"]
    proofs = proofs_of([opening.entry_id], signed)
    return bundle.ledger_file(
        verifier_key=proofs["verifier_key"],
        checkpoint=checkpoints.cosigned(signed),
        entry=proofs["entries"][0],
        consistency=ledger.tree(signed.size).consistency_proof(int(told.split("\n")[1])),
        witnesses=[one.witness for one in seen],
        time=time,
    )


def _evidence(case: Case, sealed_by: dict[str, Any]) -> bytes:
    """The evidence document with its own entry in the ledger and the proofs of all entries that it rests on."""
    document = dossier.document(case, number="LR-" + case.number.removeprefix("LT-"), issued_at=datetime.now(UTC))
    document["report"] |= {"seal": sealed_by, **organisation.paper_logo()}
    schema.validate(document)
    with transaction.atomic():
        entry = ledger.append(
            action=schema.EVIDENCE_ACTION, actor=SYSTEM, case=case, body={"evidence": schema.core_digest(document)}
        )
    document["ledger"] = proofs_of([*opened.rests_on(document), entry.index], checkpoints.checkpoint_make())
    return schema.build(document)


def proofs_of(indexes: list[int], signed: LedgerCheckpoint) -> dict[str, Any]:
    """A checkpoint of the ledger, and each entry with its opening and inclusion proof."""
    return {
        "verifier_key": known_keys.signer_of(signed.note),
        "checkpoint": signed.note,
        "entries": checkpoints.entries_proven(indexes, signed.size),
    }
