"""Addresses of the duties for the table of `test_policy_urls`: name -> permissions, args, post, decide."""

from __future__ import annotations

import io
from typing import Any

from django.utils import timezone
from PIL import Image

from governance import dispatch
from governance.models import AiModel, Case, ReservationCheck, ReservedAddress
from governance.policies import Actor, Permission
from governance.services import subscribers, uploads
from tests.governance.agents import known

P = Permission
DUTIES: dict[str, dict[str, object]] = {
    "duties": {"to": (P.SEE_DUTIES,)},
    "containment_lift_ask": {"to": (P.ASK_LIFT,), "post": True, "decide": True},
    "containment_lift_end": {"to": (P.ASK_LIFT, P.LIFT_QUARANTINE), "post": True, "decide": True},
    "containment_lift": {"to": (P.LIFT_QUARANTINE,), "post": True, "decide": True},
    "filter_list_make": {"to": (P.EXPORT_LISTS,), "post": True},
    "filter_list": {"to": (P.EXPORT_LISTS,), "args": "filter_list"},
    "dataset_records": {"to": (P.EXPORT_LISTS,), "args": "dataset", "post": True},
    "recipients": {"to": (P.SEE_DUTIES,)},
    "recipient_answer": {"to": (P.TELL_RECIPIENTS,), "post": True},
    "dataset_recipient": {"to": (P.REGISTER_MODELS,), "post": True},
    "reservations": {"to": (P.SEE_DUTIES,)},
    "reservation_check": {"to": (P.CHECK_RESERVATION,), "post": True},
    "reservation": {"to": (P.SEE_DUTIES,), "args": "reservation"},
    "reservation_again": {"to": (P.CHECK_RESERVATION,), "args": "reservation", "post": True},
    "reservation_watch": {"to": (P.CHECK_RESERVATION,), "args": "reservation", "post": True},
    "reservation_bytes": {"to": (P.SEE_DUTIES,), "args": "reservation_bytes"},
    "agents": {"to": (P.MANAGE_AGENTS,)},
    "agent_new": {"to": (P.MANAGE_AGENTS,), "post": True, "decide": True},
    "agent": {"to": (P.MANAGE_AGENTS,), "args": "agent"},
    "mandate_new": {"to": (P.MANAGE_AGENTS,), "args": "agent", "post": True, "decide": True},
    "mandate_revoke": {"to": (P.MANAGE_AGENTS,), "args": "mandate", "post": True, "decide": True},
    "key_new": {"to": (P.MANAGE_AGENTS,), "args": "agent", "post": True, "decide": True},
    "key_revoke": {"to": (P.MANAGE_AGENTS,), "args": "key", "post": True, "decide": True},
    "uploads": {"to": (P.REVEAL_PERSON,)},
    "upload_file": {"to": (P.REVEAL_PERSON,), "args": "upload"},
    "upload_shown": {"to": (P.REVEAL_PERSON,), "args": "upload"},
    "upload_delete": {"to": (P.RECORD_PROOF,), "args": "upload", "post": True, "decide": True},
    "recipients_csv": {"to": (P.SEE_CASES,), "args": "case"},
    "retention": {"to": (P.SEE_DUTIES,)},
    "erasure_ask": {"to": (P.ERASE_ASK,), "post": True, "decide": True},
    "erasure_approve": {"to": (P.ERASE_APPROVE,), "args": "erasure", "post": True, "decide": True},
    "erasure_return": {"to": (P.ERASE_ASK, P.ERASE_APPROVE), "args": "erasure", "post": True, "decide": True},
    "register_of_processing": {"to": (P.SEE_DUTIES,)},
    "case_zip": {"to": (P.EXPORT_CASE,), "args": "case", "post": True, "decide": True},
    "patches": {"to": (P.SEE_DUTIES,)},
    "patch_make": {"to": (P.MAKE_PATCH,), "post": True, "decide": True},
    "patch_propose": {"to": (P.MAKE_PATCH,), "args": "patch", "post": True, "decide": True},
    "patch_publish": {"to": (P.RELEASE_LEGAL,), "args": "patch", "post": True, "decide": True},
    "patch_publish_return": {"to": (P.RELEASE_LEGAL, P.MAKE_PATCH), "args": "patch", "post": True, "decide": True},
    "patch_withdraw": {"to": (P.MAKE_PATCH,), "args": "patch", "post": True, "decide": True},
    "patch_withdraw_approve": {"to": (P.RELEASE_LEGAL,), "args": "patch", "post": True, "decide": True},
    "patch_withdraw_return": {"to": (P.RELEASE_LEGAL, P.MAKE_PATCH), "args": "patch", "post": True, "decide": True},
    "patch_zip": {"to": (P.MAKE_PATCH,), "args": "patch", "post": True},
    "subscribers": {"to": (P.SEE_DUTIES,)},
    "subscriber_new": {"to": (P.TELL_RECIPIENTS,), "post": True, "decide": True},
    "subscriber_remove": {"to": (P.TELL_RECIPIENTS,), "args": "subscriber", "post": True, "decide": True},
    "versions": {"to": (P.SEE_DUTIES,)},
    "version_withdraw": {"to": (P.PROPOSE_ORDER,), "post": True, "decide": True},
    "version_rollback": {"to": (P.PROPOSE_ORDER,), "post": True, "decide": True},
    "version_place": {"to": (P.UPDATE_DEPLOYMENT,), "post": True},
    "order_sign": {"to": (P.RELEASE_MODEL, P.RELEASE_LEGAL), "args": "order", "post": True, "decide": True},
    "order_refuse": {
        "to": (P.RELEASE_MODEL, P.RELEASE_LEGAL, P.PROPOSE_ORDER),
        "args": "order",
        "post": True,
        "decide": True,
    },
}


def agents_world(legal: Actor) -> dict[str, list[Any]]:
    """An agent with a mandate and a key."""
    one = known(legal)
    name = one.agent.public_id
    return {"agent": [name], "mandate": [name, one.mandate.public_id], "key": [name, one.key.public_id]}


def subscribers_world(release: Actor, model: AiModel) -> dict[str, list[Any]]:
    """Somebody who runs a model elsewhere."""
    key = "A" * 43 + "="
    one = subscribers.subscriber_register(
        model=model, name="Elsewhere", contact="ops@elsewhere.example", public_key=key, subscription=None, actor=release
    )
    return {"subscriber": [one.public_id]}


def uploads_world(case: Case) -> dict[str, list[Any]]:
    """A picture that a claimant sent."""
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "PNG")
    return {"upload": [uploads.upload_take(case=case, name="a.png", data=out.getvalue()).public_id]}


def reservations_world() -> dict[str, list[Any]]:
    """An address that leads inside (so that nothing is called), and a reading of it."""
    row, now = ReservedAddress.objects.create(url="https://127.0.0.1/poems"), timezone.now()
    digest = dispatch.put_bytes(b"User-agent: *")
    sources = [{"url": row.url, "status": 200, "digest": digest}]
    check = {"stance": "unknown", "since": now, "uses": {"train": "unknown"}, "findings": [], "sources": sources}
    ReservationCheck.objects.create(address=row, **check)
    return {"reservation": [row.public_id], "reservation_bytes": [row.public_id, digest.removeprefix("sha256:")]}
