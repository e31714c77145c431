"""When a report was sealed, who says so, and whether the seal was still to be believed then."""

from __future__ import annotations

from datetime import datetime

from lethe_verify import stamps
from lethe_verify.errors import Refused
from lethe_verify.seal import Sealed
from lethe_verify.trust import Ended, Trust
from lethe_verify.verdict import Verdict


def judge(verdict: Verdict, sealed: Sealed, trust: Trust, at: datetime) -> None:
    """Adds what is proved of the time. `at`: the day on which it is judged."""
    moment = None
    if sealed.stamps:
        moment = _stamped(verdict, sealed, trust, at)
    else:
        _stated(verdict, sealed, at)
    ended = trust.ended.get(verdict.fingerprint)
    if ended is not None:
        _ended(verdict, ended, moment, sealed.sealed_at)


def _stated(verdict: Verdict, sealed: Sealed, at: datetime) -> None:
    verdict.open("time", "Time: the issuer's own clock. It proves nothing to others about when this was sealed.")
    if at > sealed.certificate.not_after:
        end = sealed.certificate.not_after.date().isoformat()
        text = f"The seal's certificate ended on {end}, and no outside time shows that the report is older."
        verdict.undecided("expired", text)


def _stamped(verdict: Verdict, sealed: Sealed, trust: Trust, at: datetime) -> datetime | None:
    """The time of the oldest stamp, where each is believed up to the next and the last up to `at`; None else."""
    nexts = [*(one.time for one in sealed.stamps[1:]), at]
    if sealed.stamps[-1].time > at:
        raise Refused(
            "time", f"The last time stamp is of {sealed.stamps[-1].time.isoformat()}: after the day of checking."
        )
    roots = set()
    for one, until in zip(sealed.stamps, nexts, strict=True):
        doubt, root = stamps.believed(one, trust.authorities, trust.roots, sealed.extra, until)
        if doubt:
            verdict.undecided("time", f"{doubt} The report promises an outside time; give its authority's root by "
                                      "--trust, or ask the issuer for the renewed file.")  # fmt: skip
            return None
        roots.add(root)
    moment = sealed.stamps[0].time
    verdict.stamped_at = moment.isoformat()
    if roots <= trust.own:
        verdict.open("time", f"Time: sealed by {moment.isoformat()}, says the issuer's own time stamp authority. It "
                             "proves nothing to others.")  # fmt: skip
    else:
        verdict.proved("time", f"It was sealed by {moment.isoformat()}: time stamps of an authority that you trust lie "
                               "over the seal and over the whole file.")  # fmt: skip
    verdict.open("authority", "Whether the time stamp authority's own certificate was revoked was not asked.")
    return moment


def _ended(verdict: Verdict, ended: Ended, stamped: datetime | None, stated: datetime) -> None:
    """A seal that ended: what was sealed before stays, as far as its time is proved."""
    when = ended.at.isoformat()
    if max(stated, stamped or stated) >= ended.at:
        raise Refused("revoked", f"It was sealed after the seal had ended ({ended.reason}, {when}).")
    if stamped is not None:
        verdict.proved("revoked", f"The seal ended later ({ended.reason}, {when}); this was sealed before, by the time "
                                  "stamps.")  # fmt: skip
    elif ended.reason == "retired":
        verdict.open("revoked", f"The seal was retired on {when}; by its own clock the report is older.")
    else:
        text = f"The seal's key may be in other hands since {when}, and only its own clock says that this is older."
        verdict.undecided("revoked", f"{text} Ask the issuer.")
