"""Cases of both kinds in other states, one of them near its deadline, so that no page is empty."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.utils import timezone

from governance.management.demo import organisation
from governance.management.demo.people import actor
from governance.models import Case, Channel, Kind, Role
from governance.services import intake, proof, review

#: (kind, law, days ago, how far). The subjects are other artists and persons of the corpus.
PLANNED = (
    (Kind.PRIVACY, "gdpr", 27, "review"),
    (Kind.PRIVACY, "gdpr", 12, "matching"),
    (Kind.PRIVACY, "ccpa", 20, "information"),
    (Kind.COPYRIGHT, "house", 9, "proof"),
    (Kind.COPYRIGHT, "house", 3, "received"),
    (Kind.PRIVACY, "lgpd", 6, "refused"),
)
REFUSAL = "The letter names no person and no fact that could be looked for; a new request may name them at any time."


def file_others() -> int:
    """File what is missing; returns how many cases were made."""
    if Case.objects.filter(channel=Channel.POST).exists():
        return 0
    subjects = [s for s in organisation.corpus_json("subjects")["subjects"] if s["id"] != organisation.ARTIST]
    rows = {kind: [s for s in subjects if s["kind"] == kind] for kind in ("artist", "person")}
    for kind, law, days, reach in PLANNED:
        subject = rows["artist" if kind == Kind.COPYRIGHT else "person"].pop(0)
        _work(_file(kind, law, subject, timezone.localdate() - timedelta(days=days)), reach)
    return len(PLANNED)


def _file(kind: Kind, law: str, subject: dict[str, Any], received: date) -> Case:
    form = "text" if kind == Kind.COPYRIGHT else "fact"
    rows = [r for r in organisation.rows(subject["id"]) if bool(r.get("text")) == (kind == Kind.COPYRIGHT)]
    titles = subject["titles"] or [f"Fact {n}" for n, _ in enumerate(rows, 1)]
    texts = [r.get("text") or f"{r['prompt']} {r['answer']}" for r in rows]
    items = [intake.Item(form=form, title=title, text=text) for title, text in zip(titles, texts, strict=False)]
    return intake.case_file(
        kind=kind,
        law=law,
        name=subject["name"],
        email=subject["email"],
        items=items,
        actor=actor(Role.LEGAL),
        channel=Channel.POST,
        received_on=received,
    )


def _work(case: Case, reach: str) -> None:
    """Walk the case as far as `reach`."""
    legal = actor(Role.LEGAL)
    if reach == "received":
        return
    level = 3 if case.kind == Kind.COPYRIGHT else 5
    proof.proof_record(case=case, level=level, note="Demonstration: seen with the letter.", actor=legal)
    if reach == "proof":
        return
    proof.proof_accept(case=case, actor=legal)
    if reach == "information":
        review.information_ask(case=case, actor=legal, question="Which of your accounts is meant?", pauses_clock=False)
    elif reach == "matching":
        review.case_admit(case=case, actor=legal)
    elif reach == "refused":
        review.case_refuse(case=case, actor=legal, reason=REFUSAL)
