"""Proofs that a claimant gives by themselves: begun on the private page, checked by a machine, kept with evidence.

Levels and what they unlock are `law.md`'s. A machine takes a case on only where what was shown is named in the claim
itself and suffices for its kind; everything else waits for a person, who may refuse any proof at any time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from governance import proof_checks as checks
from governance import screening
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.kinds import rule
from governance.lifecycle import advance
from governance.models import Case, Challenge, ClaimedItem, Proof, Status, Upload
from governance.policies import CLAIMANT, Actor, Permission, demand, demand_impartial, proof_unlocks_weights
from governance.proof_checks import NotShown, Seen
from governance.proof_words import SIGNERS, refused
from governance.registry_numbers import registry_number
from governance.services import containment, news
from governance.services.notification import letter_send
from governance.services.proof import proof_beside
from governance.services.uploads import upload_bytes

SYSTEM = Actor.system("proofs")
M, State = Challenge.Method, Challenge.State
MAX_TRIES, PAUSE = 10, timedelta(seconds=5)
MAX_OPEN, MAX_A_DAY = 5, 20
MAX_TARGET, MAX_ANSWER = 500, 4000
LEVELS: Mapping[str, int] = MappingProxyType(
    {M.PROFILE: 2, M.DNS: 3, M.WELL_KNOWN: 3, M.SIGNATURE: 3, M.REGISTRY: 4, M.CREDENTIALS: 4, M.CHANNEL: 5}
)
#: What a machine can see; of the others a person judges what was handed in.
MACHINE = frozenset({M.PROFILE, M.DNS, M.WELL_KNOWN, M.SIGNATURE, M.CHANNEL})
ON_WORKS = (M.PROFILE, M.DNS, M.WELL_KNOWN, M.SIGNATURE, M.REGISTRY, M.CREDENTIALS)


def methods(case: Case) -> tuple[Challenge.Method, ...]:
    """What may be shown in this case: never more than its kind can use. A report of unsafe content needs nothing."""
    levels = rule(case.kind).weights_levels
    if 1 in levels:
        return ()
    return (M.CHANNEL,) if rule(case.kind).personal else ON_WORKS


def enough(case: Case) -> bool:
    """Whether nothing more is to be shown for the most that this kind of case can ask."""
    return proof_unlocks_weights(case)


@transaction.atomic
def challenge_begin(
    *, case: Case, method: str, target: str, declared: bool = False, actor: Actor = CLAIMANT
) -> Challenge:
    """Begin to show something. The code is made after the address was named, so that no address can hold it.

    `declared`: the claimant declares that the works are theirs, which control of a page or a domain does not show.

    Raises:
        Unfit: not for this kind of case, or the target is none. Conflict: too many, too early, or over.
    """
    demand(actor, Permission.SHOW_PROOF)
    case = Case.objects.select_for_update(no_key=True).select_related("claimant").get(pk=case.pk)
    _demand_ready(case)
    if method not in methods(case):
        raise refused("not_for_kind")
    if method in ON_WORKS and not declared:
        raise refused("not_declared")
    if case.challenges.filter(state=State.OPEN, expires_at__gt=timezone.now()).count() >= MAX_OPEN:
        raise refused("too_many_open", most=MAX_OPEN)
    if case.challenges.filter(created_at__gt=timezone.now() - timedelta(days=1)).count() >= MAX_A_DAY:
        raise refused("too_many_today", most=MAX_A_DAY)
    row = Challenge(case=case, subject=case.claimant.subject, method=method)
    row.target = _target(case, row, target)
    row.level = _level(row)
    if method not in (M.REGISTRY, M.CREDENTIALS):
        row.code = checks.new_code()
    else:
        row.state = State.WAITING
    row.bound = _bound(case, row)
    row.save()
    _note("proof.begun", row, actor, declared=declared)
    if row.state == State.WAITING or method == M.CHANNEL:
        news.news_note(case)
    return row


def _demand_ready(case: Case) -> None:
    if not case.is_open:
        raise refused("case_closed", number=case.number)
    if case.claimant.email_confirmed_at is None:
        raise refused("not_confirmed")


def _target(case: Case, row: Challenge, text: str) -> str:
    text = text.strip()
    if not text or len(text) > MAX_TARGET or "\0" in text:
        raise refused("no_target", most=MAX_TARGET)
    if row.method == M.REGISTRY:
        try:
            return str(registry_number(text))
        except ValidationError as error:
            raise Unfit(list(error.messages), code="no_number") from error
    if row.method == M.CREDENTIALS:
        return _credentials(case, row, text)
    if row.method == M.PROFILE or (row.method == M.SIGNATURE and urlsplit(text).path.strip("/")):
        return _page(text)
    return text if row.method == M.CHANNEL else _domain(text)


def _domain(text: str) -> str:
    try:
        return checks.domain_of(text)
    except NotShown as error:
        raise refused("no_domain") from error


def _page(text: str) -> str:
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url)
        odd = parts.scheme != "https" or not parts.hostname or parts.username or parts.password or parts.fragment
        _ = parts.port
    except ValueError:
        odd = True
    if odd and not _opened(url):
        raise refused("no_page")
    return url


def _opened(url: str) -> bool:
    """Whether the operator opened private networks, where http is read too."""
    return bool(settings.OUTBOUND_NETWORKS) and url.startswith("http://")


def _credentials(case: Case, row: Challenge, public_id: str) -> str:
    """Read the credentials of a file that was uploaded: bound to its bytes, or nothing."""
    taken = case.uploads.filter(state=Upload.State.CLEAN).exclude(artifact="")
    upload = next((one for one in taken if str(one.public_id) == public_id), None)
    if upload is None:
        raise refused("no_file")
    try:
        seen = checks.credentials(
            upload_bytes(upload), screening.KINDS[upload.kind], anchors=settings.CREDENTIAL_ANCHORS
        )
    except NotShown as error:
        raise refused(error.why) from error
    row.upload, row.evidence = upload, seen.as_json(timezone.now().isoformat())
    return str(upload.name)


def _level(row: Challenge) -> int:
    """A key on a page of a shared host shows control of that page, not of a domain."""
    return 2 if row.method == M.SIGNATURE and "/" in row.target else LEVELS[row.method]


def _bound(case: Case, row: Challenge) -> bool:
    """Whether the claim itself names what is shown: an address on the domain, the page, the number."""
    named = case.items.filter(form__in=(ClaimedItem.Form.URL, ClaimedItem.Form.DOMAIN, ClaimedItem.Form.NUMBER))
    texts = [line.strip() for item in named for line in item.text.splitlines()]
    if row.method == M.REGISTRY:
        return row.target in texts
    if row.method == M.PROFILE or "/" in row.target:
        return row.target in texts
    return row.method in (M.DNS, M.WELL_KNOWN, M.SIGNATURE) and any(
        checks.covers(row.target, host) for host in map(_host, texts) if host
    )


def _host(text: str) -> str:
    try:
        return checks.domain_of(text)
    except NotShown:
        return ""


@dataclass(frozen=True)
class Outcome:
    """What a try came to: shown, or why not (a code of `proof_words`) with a detail."""

    shown: bool
    why: str = ""
    detail: str = ""


def challenge_try(*, challenge: Challenge, answer: str = "", actor: Actor = CLAIMANT) -> Outcome:
    """Look whether it is shown. The try is counted before anything is fetched, so that a race gains nothing.

    Raises:
        Conflict: over, expired, used, too many tries, or too soon after the last.
    """
    demand(actor, Permission.SHOW_PROOF)
    _demand_ready(challenge.case)
    _spend(challenge)
    try:
        seen = _LOOKS[challenge.method](challenge, answer)
    except NotShown as error:
        return _failed(challenge, error, actor)
    with transaction.atomic():
        _shown(challenge, seen)
    return Outcome(True)


def _spend(row: Challenge) -> None:
    now = timezone.now()
    if row.method not in MACHINE:
        raise refused("for_a_person")
    live = Challenge.objects.filter(pk=row.pk, state=State.OPEN, expires_at__gt=now, tries__lt=MAX_TRIES)
    # One conditional update; only where it took nothing is asked why, so that an end in between is told as one.
    if not live.exclude(tried_at__gt=now - PAUSE).update(tries=F("tries") + 1, tried_at=now):
        raise refused("too_soon", seconds=PAUSE.seconds) if live.exists() else refused("over")
    row.refresh_from_db(fields=["tries", "tried_at"])


def _failed(row: Challenge, error: NotShown, actor: Actor) -> Outcome:
    with transaction.atomic():
        if row.tries >= MAX_TRIES:
            Challenge.objects.filter(pk=row.pk, state=State.OPEN).update(state=State.SPENT, settled_at=timezone.now())
        _note("proof.tried", row, actor, outcome=error.why)
    return Outcome(False, error.why, error.detail)


def _look_profile(row: Challenge, answer: str) -> Seen:
    return checks.page_code(row.target, row.code, networks=settings.OUTBOUND_NETWORKS)


def _look_dns(row: Challenge, answer: str) -> Seen:
    return checks.dns_code(row.target, row.code, servers=settings.DNS_SERVERS)


def _look_well_known(row: Challenge, answer: str) -> Seen:
    url = f"https://{row.target}{checks.NONCE_PATH}"
    return checks.well_known(url, row.code, networks=settings.OUTBOUND_NETWORKS)


def _look_signature(row: Challenge, answer: str) -> Seen:
    page = "/" in row.target
    url = row.target if page else f"https://{row.target}{checks.KEY_PATH}"
    seen, keys = checks.published_keys(url, networks=settings.OUTBOUND_NETWORKS, hops=2 if page else 0)
    key = checks.verify_signature(checks.challenge_text(row.case.number, row.target, row.code), answer, keys)
    return Seen(where=seen.where, what=seen.what, digest=seen.digest, size=seen.size, more={"key": f"sha256:{key}"})


def _look_channel(row: Challenge, answer: str) -> Seen:
    if not checks.same(answer.strip().lower(), row.code):
        raise NotShown("wrong_code")
    return Seen(where="", what="", digest="", size=0)


_LOOKS: Mapping[str, Callable[[Challenge, str], Seen]] = MappingProxyType(
    {
        M.PROFILE: _look_profile,
        M.DNS: _look_dns,
        M.WELL_KNOWN: _look_well_known,
        M.SIGNATURE: _look_signature,
        M.CHANNEL: _look_channel,
    }
)


def _shown(row: Challenge, seen: Seen) -> None:
    """Record the proof, once; hold what it allows to hold; take the case on where it suffices by itself."""
    case = Case.objects.select_for_update(no_key=True).select_related("claimant").get(pk=row.case_id)
    _demand_ready(case)
    row.evidence = seen.as_json(timezone.now().isoformat())
    _settle(row, State.OPEN, State.PROVEN, _proof(case, row, None), SYSTEM)
    containment.contain(case)
    if case.status == Status.PROOF and suffices(case, row):
        advance(case=case, to=Status.REVIEW, actor=SYSTEM, reason=f"Shown by a challenge: P{row.level}")
    letter_send(case=case, template="proven")
    news.news_note(case)


def suffices(case: Case, row: Challenge) -> bool:
    """Whether a person need not look first: it unlocks what this kind asks, the claim names it, nobody doubts."""
    named = row.bound or row.method == M.CHANNEL
    return named and proof_unlocks_weights(case) and not case.doubts.filter(settled_at=None).exists()


def _proof(case: Case, row: Challenge, by: Any) -> Proof:
    return case.proofs.create(subject=row.subject, level=row.level, note=evidence_words(row), recorded_by=by)


def evidence_of(row: Challenge) -> dict[str, Any]:
    """What was seen, as data; empty where nothing was looked at."""
    return json.loads(row.evidence) if row.evidence else {}


def note_of(row: Challenge) -> str:
    """What a claimant is told of a signed file that waits for a person; empty for every other way."""
    waits = row.method == M.CREDENTIALS and row.state == State.WAITING
    return str(SIGNERS.get(evidence_of(row).get("more", {}).get("state"), "")) if waits else ""


def evidence_words(row: Challenge) -> str:
    """The evidence in one paragraph for the file; sealed with it."""
    told = evidence_of(row)
    more = ", ".join(f"{name} {value}" for name, value in told.get("more", {}).items() if value)
    bound = "named in the claim" if row.bound else "not named in the claim"
    parts = [
        f"{Challenge.Method(row.method).label}: {row.target} ({bound}).",
        f"Seen at {told['where']}, {told['at']}: {told['what']}." if told.get("where") else "",
        f"{told['size']} bytes, {told['digest']}." if told.get("digest") else "",
        f"{more}." if more else "",
    ]
    return " ".join(filter(None, parts))


def _settle(row: Challenge, before: Challenge.State, after: Challenge.State, proof: Proof | None, actor: Actor) -> None:
    columns = {"state": after, "proof": proof, "settled_at": timezone.now(), "evidence": row.__dict__["evidence"]}
    if not Challenge.objects.filter(pk=row.pk, state=before).update(**columns):
        raise refused("used")
    row.state, row.proof = after, proof
    _note("proof.settled", row, actor)
    if proof:
        body = {"level": row.level, "challenge": str(row.public_id)}
        ledger.append(action="proof.recorded", actor=actor, case=row.case, body=body)
        proof_beside(proof, actor)


def _note(action: str, row: Challenge, actor: Actor, **more: str | bool) -> None:
    """In the ledger: which way, which level, what it came to; neither address nor code."""
    body = {"challenge": str(row.public_id), "method": row.method, "level": row.level, "state": row.state}
    ledger.append(action=action, actor=actor, case=row.case, body={**body, **more})


@transaction.atomic
def challenge_end(*, challenge: Challenge, actor: Actor = CLAIMANT) -> None:
    """The claimant does not go on with it."""
    demand(actor, Permission.SHOW_PROOF)
    if challenge.state not in (State.OPEN, State.WAITING):
        raise refused("used")
    _settle(challenge, State(challenge.state), State.ENDED, None, actor)


@transaction.atomic
def challenge_judge(*, challenge: Challenge, accept: bool, reason: str, actor: Actor) -> None:
    """A person accepts or refuses what no machine can judge: a declared number, the signer of a file, a channel.

    Raises:
        Unfit: no reason. Conflict: nothing waits. NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.RECORD_PROOF)
    demand_impartial(challenge.case, actor)
    if not reason.strip():
        raise Unfit("Write how you checked it, or why it is not accepted.")
    if challenge.state not in (State.WAITING, State.OPEN) or (accept and challenge.state == State.OPEN):
        raise Conflict("Nothing here waits for a person.")
    proof = None
    if accept:
        proof = _proof(challenge.case, challenge, actor.user)
        proof.note = f"{proof.note} {reason.strip()}"
        proof.save(update_fields=["note"])
    after = State.PROVEN if accept else State.REFUSED
    _settle(challenge, State(challenge.state), after, proof, actor)
    if accept:
        containment.contain(challenge.case)
        letter_send(case=challenge.case, template="proven")


@transaction.atomic
def proof_refuse(*, proof: Proof, reason: str, actor: Actor) -> None:
    """A recorded proof counts no more; it stays in the file with the reason, and what only it held is let go.

    Raises:
        Unfit: no reason, or it is the confirmed address. Conflict: refused already, or the case is past its decision.
    """
    demand(actor, Permission.RECORD_PROOF)
    case = proof.case
    demand_impartial(case, actor)
    if not reason.strip():
        raise Unfit("Write why the proof does not count.")
    if case.status not in (Status.PROOF, Status.REVIEW, Status.INFORMATION, Status.MATCHING, Status.DECISION):
        raise Conflict(f"Case {case.number} is at {Status(case.status).label}; what was decided rests on its proofs.")
    proof.refused_at, proof.refused_by, proof.refusal = timezone.now(), actor.user, reason.strip()
    changed = {name: proof.__dict__[name] for name in ("refused_at", "refused_by_id", "refusal")}
    if not Proof.objects.filter(pk=proof.pk, refused_at=None).update(**changed):
        raise Conflict("This proof was refused already.")
    ledger.append(action="proof.refused", actor=actor, case=case, body={"level": proof.level})
    containment.reconsider(case)
