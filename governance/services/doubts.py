"""Doubt about who asks: alone a reasonable and recorded doubt lets the house ask a person for a document.

The doubt is a person's, with its reason, which the claimant reads (GDPR Art. 12(6)). The document is seen by a person,
and goes with the decision, whatever that is: that it was there and that it was deleted stays in the ledger.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.file_words import words
from governance.kinds import rule
from governance.models import Case, IdentityDoubt, Status, Upload
from governance.policies import CLAIMANT, Actor, Permission, demand, demand_impartial
from governance.proof_words import refused
from governance.services import news, proof, review, uploads

#: What is enough to look at: a photograph or a scan.
KINDS = ("png", "jpeg", "webp", "pdf")
_THERE = (Upload.State.HELD, Upload.State.CLEAN)


def open_doubt(case: Case) -> IdentityDoubt | None:
    """The doubt that is not settled yet."""
    return case.doubts.filter(settled_at=None).first()


@transaction.atomic
def doubt_record(*, case: Case, reason: str, pauses_clock: bool, actor: Actor) -> IdentityDoubt:
    """Write down what gives rise to doubt, and tell the claimant what answers it.

    Raises:
        Unfit: no reason, or a kind of case in which nobody's identity matters.
        Conflict: there is a doubt already, or it is too late or too early to ask.
    """
    demand(actor, Permission.RECORD_PROOF)
    demand_impartial(case, actor)
    if not rule(case.kind).personal:
        raise Unfit("Whose works they are is not shown by an identity document; ask for another proof.")
    if len(reason.split()) < 4:
        raise Unfit("Write in a whole sentence what gives rise to the doubt; the claimant reads it.")
    Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    if open_doubt(case):
        raise Conflict("A doubt is recorded already; settle it first.")
    if case.status not in (Status.PROOF, Status.REVIEW):
        raise Conflict(f"Case {case.number} is at {Status(case.status).label}; a doubt is raised at proof or review.")
    row = IdentityDoubt(case=case, subject=case.claimant.subject, doubted_by=actor.user)
    row.reason = reason.strip()
    row.save()
    ledger.append(action="doubt.recorded", actor=actor, case=case, body={"pauses_clock": pauses_clock})
    review.information_ask(case=case, actor=actor, question=row.reason, pauses_clock=pauses_clock)
    return row


def document_take(*, case: Case, name: str, data: bytes) -> Upload:
    """The claimant's document, in answer to a doubt; a second one takes the place of the first, which is deleted.

    It answers our question: a clock that waited for it runs on from this moment.

    Raises:
        Conflict: nobody doubts, so nothing is asked for. Unfit: no picture or PDF.
    """
    doubt = open_doubt(case)
    if doubt is None:
        raise Conflict(words("unasked"))
    upload = uploads.upload_take(case=case, name=name, data=data)
    if upload.state in _THERE and upload.kind not in KINDS:
        uploads.upload_delete(upload=upload, actor=CLAIMANT)
        raise Unfit(words("document"))
    if upload.state not in _THERE:
        raise Unfit(words(upload.why or "nothing"))
    with transaction.atomic():
        before = doubt.upload
        if not IdentityDoubt.objects.filter(pk=doubt.pk, settled_at=None).update(upload=upload):
            raise refused("doubt_settled")
        if before and before.pk != upload.pk and before.state in _THERE:
            uploads.upload_delete(upload=before, actor=CLAIMANT)
        body = {"upload": str(upload.public_id)}
        ledger.append(action="doubt.answered", actor=CLAIMANT, case=case, body=body)
        news.news_note(case)
        if case.status == Status.INFORMATION:
            # What we asked for is here: a pause that went on until somebody looked would be longer than the law allows.
            review.information_receive(case=case, actor=CLAIMANT)
    return upload


@transaction.atomic
def doubt_settle(*, case: Case, dispelled: bool, note: str, actor: Actor) -> IdentityDoubt:
    """A person saw the document, or did without; it is deleted either way. Dispelled with a document is P5.

    Raises:
        Unfit: no note on what was seen. Conflict: no doubt is open, or a legal hold keeps the file.
    """
    demand(actor, Permission.RECORD_PROOF)
    demand_impartial(case, actor)
    doubt = open_doubt(case)
    if doubt is None:
        raise Conflict("No doubt is open in this case.")
    if not note.strip():
        raise Unfit("Write what you saw, not what stands in the document.")
    now = timezone.now()
    settled = IdentityDoubt.objects.filter(pk=doubt.pk, settled_at=None)
    if not settled.update(dispelled=dispelled, settled_by=actor.user, settled_at=now):
        raise Conflict("Somebody else settled the doubt in the meantime.")
    deleted = bool(doubt.upload and doubt.upload.state in _THERE)
    if doubt.upload and deleted:
        uploads.upload_delete(upload=doubt.upload, actor=actor)
    body = {"dispelled": dispelled, "document_deleted": deleted}
    ledger.append(action="doubt.settled", actor=actor, case=case, body=body)
    if dispelled and deleted:
        proof.proof_record(case=case, level=5, note=f"Document seen on recorded doubt. {note.strip()}", actor=actor)
    return doubt
