"""When a report was sealed, who says so, and whether the seal was still to be believed then."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from lethe_verify import note as notes
from lethe_verify import stamps
from lethe_verify.errors import Refused
from lethe_verify.seal import Sealed
from lethe_verify.trust import Ended, Trust
from lethe_verify.verdict import Verdict


def judge(verdict: Verdict, sealed: Sealed, trust: Trust, at: datetime) -> datetime | None:
    """Adds what is proved of the time, and returns it: the first by an authority outside of the issuer, if any.

    `at`: the day on which it is judged.
    """
    moment = None
    if sealed.stamps:
        moment = _stamped(verdict, sealed, trust, at)
    else:
        _stated(verdict, sealed, at)
    ended = trust.ended.get(verdict.fingerprint)
    if ended is not None:
        stated = max([sealed.sealed_at, *(one.time for one in sealed.stamps[:1])])
        _ended(verdict, ended, moment, stated)
    return moment


def _stated(verdict: Verdict, sealed: Sealed, at: datetime) -> None:
    verdict.open("time", "Time: the issuer's own clock. It proves nothing to others about when this was sealed.")
    if at > sealed.certificate.not_after:
        end = sealed.certificate.not_after.date().isoformat()
        text = f"The seal's certificate ended on {end}, and no outside time shows that the report is older."
        verdict.undecided("expired", text)


def _stamped(verdict: Verdict, sealed: Sealed, trust: Trust, at: datetime) -> datetime | None:
    """The oldest time by an authority that is not the issuer's own, where each stamp is believed up to the next.

    The last must be believed up to `at`. None where one is not, or all are the issuer's own: whoever holds the seal's
    key may hold that authority's, and set its clock.
    """
    nexts = [one.time for one in sealed.stamps[1:]]
    if sealed.stamps[-1].time > at:
        raise Refused(
            "time", f"The last time stamp is of {sealed.stamps[-1].time.isoformat()}: after the day of checking."
        )
    found, others = [], (*trust.roots, *sealed.extra)
    ends = [stamps.end_of(one, trust.authorities, others) for one in sealed.stamps]
    for number, (one, until) in enumerate(zip(sealed.stamps, [*nexts, at], strict=True)):
        # Whoever holds the seal may set the issuer's own clock, and a lost key stamps for itself: neither vouches.
        strange = (other.time for other, end in zip(sealed.stamps[number + 1 :], ends[number + 1 :], strict=True)
                   if end not in (ends[number], "", *trust.own))  # fmt: skip
        belief = stamps.believed(one, trust.authorities, others, until=until, vouched=next(strange, None),
                                 data=sealed.revoked)  # fmt: skip
        if belief.doubt:
            verdict.undecided("time", f"{belief.doubt} The report promises an outside time; give its authority's root "
                                      "by --trust, or ask the issuer for the renewed file.")  # fmt: skip
            return None
        found.append(belief)
    outside = [one.time for one, belief in zip(sealed.stamps, found, strict=True) if belief.root not in trust.own]
    moment = outside[0] if outside else sealed.stamps[0].time
    verdict.stamped_at = moment.isoformat()
    if not outside:
        verdict.open("time", f"Time: sealed by {moment.isoformat()}, says the issuer's own time stamp authority. It "
                             "proves nothing to others.")  # fmt: skip
    else:
        verdict.proved("time", f"It was sealed by {moment.isoformat()}: time stamps of an authority that you trust lie "
                               "over the seal and over the whole file.")  # fmt: skip
    _unrevoked(verdict, [one.unrevoked for one in found])
    return outside[0] if outside else None


def _unrevoked(verdict: Verdict, days: list[datetime | None]) -> None:
    known = [day for day in days if day is not None]
    if len(known) < len(days):
        verdict.open("authority", "Whether the time stamp authority's own certificate was revoked: the file carries no "
                                  "data that say it was not, and nobody was asked.")  # fmt: skip
        return
    day = min(known).isoformat()
    verdict.proved("authority", f"The time stamp authority's certificates were not revoked on {day}, by the data that "
                                "the file carries, signed by those who issued them.")  # fmt: skip
    verdict.open("authority", f"Whether they were revoked after {day} was not asked.")


def of_checkpoint(
    verdict: Verdict, token: bytes, note: str, trust: Trust, at: datetime, sealed: Sealed | None = None
) -> tuple[datetime, bool]:
    """The time stamp over a checkpoint of the ledger: it had these entries by then. Whose time it is goes to `verdict`.

    Returns the time, and whether an authority outside of the issuer says it that is believed.

    Args:
        token: RFC 3161, over the note as the ledger alone signed it.
        note: the signed note, its signature found good; lines of witnesses may follow.
        sealed: the report of a bundle, which may bring data to judge the authority by.

    Raises:
        Refused: the stamp is over something else, wrong, from after the day of checking, or by a revoked certificate.
    """
    size, alone = note.split("\n")[1], "\n".join(note.split("\n")[:5]) + "\n"
    stamp = stamps.check(token, alone.encode())
    if stamp.time > at:
        raise Refused("time", f"The checkpoint's time stamp is of {stamp.time.isoformat()}: after the day of checking.")
    extra, data = (sealed.extra, sealed.revoked) if sealed else ((), stamps.NO_DATA)
    belief = stamps.believed(stamp, trust.authorities, (*trust.roots, *extra), until=at, data=data)
    said = f"by {stamp.time.isoformat()} the ledger had these {size} entries"
    if belief.doubt:
        verdict.open("ledger_time", f"That {said}, as a time stamp says. {belief.doubt}")
    elif belief.root in trust.own:
        verdict.open("ledger_time", f"That {said}: so says the issuer's own time stamp authority, which proves nothing "
                                    "to others.")  # fmt: skip
    else:
        verdict.proved("ledger_time", f"A time stamp authority that you trust says that {said}.")
    return stamp.time, not belief.doubt and belief.root not in trust.own


def _outside(
    checkpoint: notes.Checkpoint, trust: Trust, times: Iterable[datetime | None]
) -> tuple[list[datetime], datetime | None]:
    """All outside times that are believed, and the first that counts: of witnesses that by which enough of them signed.

    One witness that dates back would else undo what the reader demands a quorum of them for.
    """
    seen: dict[bytes, datetime] = {}
    for one in checkpoint.seen:
        if one.witness in trust.witnesses:
            # One key is one witness, under how many names it may sign; of its times the first counts.
            public, at = notes.key(one.witness, notes.WITNESS)[2], datetime.fromtimestamp(one.at, UTC)
            seen[public] = min(at, seen.get(public, at))
    stamped, needed = [one for one in times if one], max(trust.quorum, 1)
    witnessed = sorted(seen.values())
    return sorted([*stamped, *witnessed]), min([*stamped, *witnessed[needed - 1 : needed]], default=None)


def in_hand(
    verdict: Verdict, key: str, checkpoint: notes.Checkpoint, trust: Trust, times: Iterable[datetime | None]
) -> bool:
    """Whether the ledger's own hand signed a checkpoint: its key was not lost, or was only later, by outside time.

    No clock of the issuer is asked: whoever took the key writes any time. The first of all times counts, since anybody
    can have an old checkpoint stamped or witnessed again; of witnesses, the first by which the demanded quorum signed.

    Args:
        times: when others than the issuer, who are believed, say that the checkpoint was there; None where none does.

    Raises:
        Refused: all outside times are of after the loss.
    """
    lost = trust.lost.get(key)
    if lost is None:
        return True
    since = f"The ledger's key may be in other hands since {lost.isoformat()}"
    outside, counted = _outside(checkpoint, trust, times)
    if outside and outside[0] >= lost:
        raise Refused("lost_key", f"{since}, and nobody outside of the issuer saw this checkpoint of "
                                  f"{checkpoint.size} entries before {outside[0].isoformat()}.")  # fmt: skip
    if counted is None or counted >= lost:
        return False
    verdict.proved("lost_key", f"{since}; its checkpoint of {checkpoint.size} entries was there before, says somebody "
                               f"outside of the issuer whom you trust ({counted.isoformat()}).")  # fmt: skip
    return True


#: What helps where no outside time places a checkpoint, by what was judged.
ADVICE: Final = {
    "bundled": "Ask the issuer for a bundle that was made with the next key.",
    "alone": "There is no bundle of a file of this kind: ask the issuer whether it is theirs.",
    "sample": "Fetch the file of the sample from the issuer again, once the next key signed a checkpoint.",
}


def unplaced(verdict: Verdict, key: str, checkpoint: notes.Checkpoint, trust: Trust, kind: str) -> None:
    """A checkpoint by a lost key that no time from outside shows to be older, nor a later key's checkpoint holds.

    `kind`: of `ADVICE`.
    """
    enough = f" that you believe ({trust.quorum} witnesses, or a time stamp)" if trust.quorum > 1 else ""
    verdict.undecided("lost_key", f"The ledger's key may be in other hands since {trust.lost[key].isoformat()}, and no "
                                  f"time from outside{enough} shows that its checkpoint of {checkpoint.size} entries "
                                  f"is older. {ADVICE[kind]}")  # fmt: skip


def kept_in_hand(
    verdict: Verdict, key: str, checkpoint: notes.Checkpoint, trust: Trust, stamped: datetime | None
) -> bool:
    """Whether a checkpoint that the reader kept is the ledger's own, so that there is something to compare with.

    Where it is not shown to be, that says nothing of the file: a thief's checkpoint would make a true ledger look
    rewritten, and a time of after the loss is a fault of what was kept. `stamped`: its time from outside.
    """
    with suppress(Refused):
        if in_hand(verdict, key, checkpoint, trust, [stamped]):
            return True
    since = trust.lost[key].isoformat()
    verdict.undecided("lost_key", f"Your checkpoint of {checkpoint.size} entries was compared with nothing: the key "
                                  f"that signed it may be in other hands since {since}, and no time from outside shows "
                                  f"that it is older. Keep one that the next key signed, or give the time stamp of "
                                  f"this one by --checkpoint-time.")  # fmt: skip
    return False


def _ended(verdict: Verdict, ended: Ended, stamped: datetime | None, stated: datetime) -> None:
    """A seal that ended: what was sealed before stays, as far as its time is proved."""
    when = ended.at.isoformat()
    if stated >= ended.at:
        raise Refused("revoked", f"It was sealed after the seal had ended ({ended.reason}, {when}).")
    if stamped is not None and stamped < ended.at:
        verdict.proved("revoked", f"The seal ended later ({ended.reason}, {when}); this was sealed before, by the time "
                                  "stamps.")  # fmt: skip
    elif ended.reason == "retired":
        verdict.open("revoked", f"The seal was retired on {when}; by its own clock the report is older.")
    else:
        text = f"The seal's key may be in other hands since {when}, and only its own clock says that this is older."
        verdict.undecided("revoked", f"{text} Ask the issuer.")
