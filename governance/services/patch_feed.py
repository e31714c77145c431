"""Patches that were published, and the signed feed by which those who hold the base learn of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from governance import dispatch
from governance.errors import Conflict, NotAllowed, Unfit
from governance.evidence import ledger
from governance.kinds import rule
from governance.models import AttestationSet, Patch, PatchPublication, PatchWithdrawal
from governance.policies import Actor, Permission, demand
from governance.selectors import organisation
from governance.services import answers, attestations, feed_pages, opt_out_feed, orders, patches

KIND = "unlearning-patches"
PAGE = 200
FILES = ("manifest.json", "patch.safetensors")
#: Why a patch was withdrawn, as the feed says it; it is for machines and strangers, and so in English.
WITHDRAWN: dict[str, str] = {
    PatchWithdrawal.Reason.FLAWED: "It does damage, or does not do what it says.",
    PatchWithdrawal.Reason.VERDICT: "Its verdict holds no longer.",
    PatchWithdrawal.Reason.RIGHTS: "It should not have been given to everybody.",
    PatchWithdrawal.Reason.REPLACED: "Another patch takes its place.",
}


def _problems(patch: Patch) -> list[str]:
    problems = []
    if not patch.public:
        problems.append("This patch is confidential; have it made again, marked as fit for anyone.")
    if any(rule(one.kind).personal for one in orders.undone_by(patch.release.version)):
        problems.append("The patch of a case about personal data is never published.")
    if patches.patch_state(patch) != "there":
        problems.append("This patch is not there: it is not made yet, or was deleted with the weights of before.")
    elif not _statements(patch):
        problems.append(
            "The statements about this patch are not signed yet, and whoever gets it checks them; wait until the "
            "version's page says that they are."
        )
    return problems


def _statements(patch: Patch) -> dict[str, str]:
    """Name and digest of each signed statement about a patch; empty where there is none (yet)."""
    found: AttestationSet | None = getattr(patch, "attestations", None)
    return attestations.documents(found) if found else {}


@transaction.atomic
def publication_propose(*, patch: Patch, actor: Actor) -> PatchPublication:
    """Propose to let everybody have a patch.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: with every reason. Conflict: it is proposed already.
    """
    demand(actor, Permission.MAKE_PATCH)
    if problems := _problems(patch):
        raise Unfit(problems)
    if actor.user is None or PatchPublication.objects.filter(patch=patch, returned_at=None).exists():
        raise Conflict("Its publication is proposed already.")
    files = dispatch.store().list_tree(patch.artifact) or {}
    manifest = dispatch.read_json(files["manifest.json"])
    if manifest["confidential"] or manifest["digest"] != patch.digest:
        raise Unfit("The patch's manifest says that it is confidential, or is that of another patch.")
    row = PatchPublication.objects.create(
        patch=patch, base=manifest["base"]["weights"], result=manifest["result"]["weights"], proposed_by=actor.user
    )
    _record(row, "patch.publication_proposed", actor)
    return row


@transaction.atomic
def publication_approve(*, publication: PatchPublication, actor: Actor) -> PatchPublication:
    """Approve it, as another person: from now on it stands in the feed.

    Raises:
        NotAllowed: the policy, or whoever proposed. Conflict: answered already. Unfit: what it needs holds no longer.
    """
    demand(actor, Permission.RELEASE_LEGAL)
    if actor.user is None or actor.user == publication.proposed_by:
        raise NotAllowed("You proposed this; the approval is another person's.")
    if problems := _problems(publication.patch):
        raise Unfit(problems)
    _answer(publication, approved_by=actor.user, approved_at=timezone.now())
    _record(publication, "patch.published", actor)
    feed_pages.patches_changed(pk=publication.pk)
    return publication


@transaction.atomic
def publication_return(*, publication: PatchPublication, actor: Actor, reason: str = "") -> PatchPublication:
    """Refuse it, or take one's own proposal back; it may be proposed anew.

    Raises:
        NotAllowed: the policy, or another's proposal. Unfit: refused without a reason. Conflict: answered already.
    """
    own = answers.taken_back(publication.proposed_by_id, actor, Permission.RELEASE_LEGAL, reason=reason)
    said = answers.why(own, reason)
    _answer(publication, returned_by=actor.user, returned_at=timezone.now(), returned_why=said.get("why", ""))
    _record(publication, f"patch.publication_{'taken_back' if own else 'refused'}", actor, **said)
    return publication


def _answer(publication: PatchPublication, **columns: Any) -> None:
    waiting = PatchPublication.objects.filter(pk=publication.pk, approved_at=None, returned_at=None)
    if not waiting.update(**columns):
        raise Conflict("Somebody answered this already.")
    publication.refresh_from_db()


def _record(row: PatchPublication, action: str, actor: Actor, **more: str) -> None:
    body = {"patch": row.patch.digest, "base": row.base, "result": row.result, "publication": str(row.public_id)}
    ledger.append(action=action, actor=actor, body={**body, **more})


def approved() -> QuerySet[PatchPublication]:
    """What was ever published, with what an entry tells of it, by its ids."""
    related = ("patch__release__version__model", "patch__release__version__parent__model", "patch__attestations")
    rows = PatchPublication.objects.filter(approved_at__isnull=False).order_by("id")
    return rows.select_related(*related).prefetch_related("withdrawals")


def items(rows: Sequence[PatchPublication]) -> list[dict[str, Any]]:
    """An entry of each patch that is still there, or was withdrawn."""
    return [_item(row) for row in rows if row.withdrawal or dispatch.exists(row.patch.artifact)]


def frame() -> dict[str, Any]:
    """What all pages of the feed have in common."""
    return {
        "version": opt_out_feed.VERSION,
        "title": f"Unlearning patches published by {organisation.current().name}",
        "home_page_url": settings.BASE_URL,
        "authors": [{"name": organisation.current().name, "url": settings.BASE_URL}],
        "_lethe": {"kind": KIND},
    }


def page_url(after: int) -> str:
    """Of the page that begins after a mark, the id of a publication."""
    return settings.BASE_URL + reverse("patch_feed") + (f"?after={after}" if after else "")


def newest() -> dict[str, Any]:
    """The newest patches, newest first, for readers that fetch one page and no further; not signed.

    Its moment is that of the last change, else the full hour: within it the same feed has the same bytes.
    """
    found = items(list(approved().order_by("-id")[:PAGE]))
    hour = timezone.now().replace(minute=0, second=0, microsecond=0).isoformat()
    return {**frame(), "items": found, "issued_at": max([hour, *(item["date_modified"] for item in found)])}


def _item(row: PatchPublication) -> dict[str, Any]:
    version, gone = row.patch.release.version, row.withdrawal
    title, published = f"{version.parent} to {version}", _moment(row.approved_at)
    known = {"patch": row.patch.digest, "base": row.base, "result": row.result, "bytes": row.patch.size,
             "acknowledge_url": settings.BASE_URL + reverse("api_acknowledgements")}  # fmt: skip
    if gone:
        at = _moment(gone.approved_at)
        return {
            "id": f"urn:uuid:{row.public_id}",
            "title": f"Withdrawn: {title}",
            "content_text": f"Do not apply it. {WITHDRAWN[gone.reason]}",
            "date_published": published,
            "date_modified": at,
            "_lethe": {**known, "withdrawn": {"at": at, "reason": gone.reason}},
        }
    place = f"{settings.BASE_URL}/patches/public/{row.public_id}"
    return {
        "id": f"urn:uuid:{row.public_id}",
        "url": f"{place}/{FILES[0]}",
        "title": title,
        "content_text": "Apply it to your copy of the model before. It does not show that anything was forgotten.",
        "date_published": published,
        "date_modified": published,
        "_lethe": {
            **known,
            "manifest_url": f"{place}/{FILES[0]}",
            "payload_url": f"{place}/{FILES[1]}",
            "statements": {
                name: {"url": f"{place}/statements/{name}", "sha256": digest}
                for name, digest in _statements(row.patch).items()
            },
        },
    }


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else ""


def published_file(row: PatchPublication, name: str, *, stated: bool = False) -> IO[bytes] | None:
    """A file of a published patch, or of the statements about it, in pieces; None where there is none, or no more."""
    if row.approved_at is None or row.withdrawal or patches.patch_state(row.patch) != "there":
        return None
    if stated:
        ref = _statements(row.patch).get(name)
    else:
        ref = (dispatch.store().list_tree(row.patch.artifact) or {}).get(name) if name in FILES else None
    return dispatch.store().open(ref) if ref else None
