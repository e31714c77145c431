"""Where a case stands, in plain words for the person who asked: headline, way, findings. It never claims more than
the case's status, its approved decisions and its signed report say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Count
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from governance.clocks import LAWS, rows
from governance.kinds import rule
from governance.models import Case, Decision, Disposition, Kind, Paper, Plan, Recheck, Relation, Report, Status
from governance.notifications.languages import SOURCE
from governance.policies import TELLING, Permission, disposition_told, findings_told
from governance.services import additions, children, links, sharing, texts
from governance.services.doubts import open_doubt
from governance.transitions import TRANSITIONS
from governance.web import case_words, filing_words
from governance.web.way import day, way

S = Status
Words = tuple[str, str]


def _privacy(case: Case) -> bool:
    return rule(case.kind).personal


def _withheld() -> str:
    """What stands in the place of findings until identity is proven."""
    return _("What we find, or that we find nothing, is told only once it is shown that you are the person concerned.")


def _planning(case: Case) -> Words:
    if case.plans.filter(state__in=[Plan.State.FAILED, Plan.State.INCONCLUSIVE]).exists():
        return (
            _("Agreed. The first try was not enough."),
            _("What we tried did not pass its test, so it was not put into service. We are preparing another way."),
        )
    return _("Agreed. We are preparing to change the model."), _("How its success is judged is fixed before we begin.")


def _decision(case: Case) -> Words:
    if not findings_told(case):
        return _("Two people decide."), _withheld()
    hits = case.matches.count()
    if not hits:
        return _("We found no record that matches."), _("A second person confirms this.")
    headline = ngettext("We found %(n)d record.", "We found %(n)d records.", hits) % {"n": hits}
    return f"{headline} {_('Two people decide.')}", _("One person proposes, a second one approves.")


#: What the headline and the sentence below it say while the case is open.
_OPEN: dict[Status, Callable[[Case], Words]] = {
    S.RECEIVED: lambda case: (
        _("We have your request."),
        _("Follow the link in our letter, so that we know the address is yours. Until then nothing is decided."),
    ),
    S.PROOF: lambda case: (
        _("Your address is confirmed."),
        _("Next we record what shows that it is you who asks.")
        if _privacy(case)
        else _("Next we record what shows that the works are yours."),
    ),
    S.REVIEW: lambda case: (_("A person is reading your request."), _("Nothing is decided by a machine.")),
    S.INFORMATION: lambda case: (
        _("We asked you a question and wait for your answer."),
        _("It stands in our last letter. Answer here, or answer that letter."),
    ),
    S.MATCHING: lambda case: (
        _("We are looking for these facts in our training data.")
        if _privacy(case)
        else _("We are looking for your works in our training data."),
        "",
    ),
    S.DECISION: _decision,
    S.PLANNING: _planning,
    S.UNLEARNING: lambda case: (
        _("Agreed. We are changing the model now."),
        _("The model in service stays as it is until the changed one has passed its test."),
    ),
    S.VERIFICATION: lambda case: (
        _("The model was changed. Now we test it."),
        _("We measure what it still knows, also after an attempt to bring it back."),
    ),
    S.RELEASE: lambda case: (
        _("The test is done. The new version waits to replace the old one."),
        _("Two people sign before it does."),
    ),
    S.REPORTING: lambda case: (_("Decided. We are writing your signed report."), ""),
    S.NOTIFICATION: lambda case: (_("Decided. Our letter is on its way."), ""),
}


def _ended(case: Case) -> Words:
    """Headline and sentence of a closed case; where a report is signed, its own headline is the sentence."""
    if not disposition_told(case):
        return _("Your case is closed."), _withheld()
    report = report_of(case)
    said = f"{report.headline_in(get_language() or SOURCE)}." if report else ""
    limit = _("What is suppressed may be recoverable; the report says what was measured.")
    return {
        Disposition.FULFILLED: (_("Your request is fulfilled."), said),
        Disposition.PARTLY: (_("Your request is partly fulfilled."), f"{said} {limit}".strip()),
        Disposition.EXCLUDED: (
            _("We undertake to leave what you named out of future training."),
            _("Models already trained were not changed by this case."),
        ),
        Disposition.NO_DATA: (
            _("We found no record that matches your request."),
            _("The search covers the data sets that the report names, nothing else."),
        ),
        Disposition.NOT_FULFILLED: (_("We could not fulfil your request."), said),
        Disposition.REFUSED: (
            _("We refused your request."),
            _("The reasons, and where you can complain, stand in our letter."),
        ),
        Disposition.WITHDRAWN: (
            _("You took your request back."),
            _("Nothing more is done about it. You may file a new one."),
        ),
    }[Disposition(case.disposition)]


def report_of(case: Case) -> Report | None:
    """The signed report, once there is one and its findings may be told."""
    if not findings_told(case):
        return None
    return Report.objects.filter(case=case).first()


def words(case: Case) -> Words:
    """Headline and the sentence below it, for every status and disposition."""
    status = S(case.status)
    if status == S.CLOSED or (status == S.NOTIFICATION and case.disposition == Disposition.WITHDRAWN):
        return _ended(case)
    if status in TELLING and not findings_told(case):
        return _decision(case)
    return _OPEN[status](case)


def found(case: Case) -> list[str]:
    """What was found and decided. Decisions are told once both people have signed."""
    if not findings_told(case):
        return []
    return [*_decided(case), *_came_back(case)]


def _came_back(case: Case) -> list[str]:
    """A later version that did not stand the tests of this case contradicts what was reported, and is told."""
    rows = Recheck.objects.filter(plan__case=case, state=Recheck.State.REGRESSED, child__isnull=False)
    return [
        _("On %(day)s a later version of the model did not stand the tests of this case. Case %(number)s follows it.")
        % {"day": day(row.finished_at), "number": row.child.number}
        for row in rows.select_related("child").order_by("id")
        if row.finished_at and row.child
    ]


def _decided(case: Case) -> list[str]:
    if S(case.status) in {S.RECEIVED, S.PROOF, S.REVIEW, S.INFORMATION, S.MATCHING}:
        return []
    hits = case.matches.count()
    if not hits:
        return []
    lines = [
        ngettext("%(n)d training record matches what you sent.", "%(n)d training records match what you sent.", hits)
        % {"n": hits}
    ]
    decided = Decision.objects.filter(match__case=case, approved_at__isnull=False)
    sentences = {
        Decision.Choice.ERASE: _erased(case),
        Decision.Choice.EXCLUDE: _("%(n)d marked to be left out of future training."),
        Decision.Choice.REFUSE: _("%(n)d refused."),
    }
    counts = decided.values_list("choice").annotate(n=Count("id")).order_by("choice")
    return [*lines, *(sentences[Decision.Choice(choice)] % {"n": n} for choice, n in counts)]


def _erased(case: Case) -> str:
    """What became of the records that were to be erased, in the tense of the case."""
    if case.status == S.CLOSED and case.disposition == Disposition.FULFILLED:
        return _("%(n)d erased from the models.")
    if case.status == S.CLOSED and case.disposition == Disposition.PARTLY:
        return _("%(n)d were to be erased from the models; the report says how far that went.")
    if case.status == S.CLOSED:
        return _("%(n)d were to be erased from the models.")
    return _("%(n)d to be erased from the models.")


def clock(case: Case) -> dict[str, Any] | None:
    """The clock for `clock_block`, with `steps`: how its date was worked out. None once the case is closed."""
    if not case.is_open or case.disposition == Disposition.WITHDRAWN:
        return None
    clocks = case_words.clocks_of(case)
    first = rows.governing(clocks) if clocks else None
    worked = rows.worked(first) if first else None
    today = timezone.localdate()
    tone = "paused" if case.paused_on else "late" if case.due_on < today else "running"
    return {
        "received": case.received_on,
        "due": case.due_on,
        "today": today,
        "tone": tone,
        "label": _("Paused since %(day)s, until your answer comes") % {"day": day(case.paused_on)}
        if case.paused_on
        else "",
        "pauses": ((case.paused_on, today),) if case.paused_on else (),
        # A rule set that changed since the case came in must not explain a date that it did not set.
        "steps": worked.steps if worked and worked.governing == case.due_on else (),
        "citation": worked.rule.citation if worked else LAWS[case.law].citation,
    }


def can_withdraw(case: Case) -> bool:
    """Whether the claimant may still take the request back."""
    step = TRANSITIONS.get((S(case.status), S.NOTIFICATION))
    return step is not None and Permission.WITHDRAW in step.by


#: What may follow a case at the claimant's word: the headline and the sentence of its page.
FOLLOW: dict[Relation, dict[str, Any]] = {
    Relation.APPEAL: {
        "title": gettext_lazy("Appeal against the outcome"),
        "sentence": gettext_lazy("Somebody who did not decide looks at your case again. It costs you nothing."),
    },
    Relation.COMPLAINT: {
        "title": gettext_lazy("Complain about how we handle this"),
        "sentence": gettext_lazy("Somebody who did not work on your case answers you in writing."),
    },
    Relation.RETURN: {
        "title": gettext_lazy("Let the works be used again"),
        "sentence": gettext_lazy(
            "What we keep out of training goes back when two people have agreed. Models that were changed stay changed."
        ),
    },
}


def limits(case: Case) -> list[str]:
    """What no outcome of this case can do."""
    lines = [_("Copies of a model that others downloaded are outside our reach.")]
    if not _privacy(case):
        lines.append(_("Texts that resemble yours but were not found stay in the training data."))
    return lines


def view_of(case: Case, token: str) -> dict[str, Any]:
    """Everything that the status page shows."""
    conclusion, sentence = words(case)
    report = report_of(case)
    return {
        "number": case.number,
        "conclusion": conclusion,
        "sentence": sentence,
        "clock": clock(case),
        "steps": way(case),
        "found": found(case),
        "cannot": limits(case),
        "mail_confirmed": case.claimant.email_confirmed_at is not None or case.status != S.RECEIVED,
        "resend_url": reverse("resend", args=[token]),
        "files_url": reverse("status_files", args=[token]),
        "works": filing_words.newest(case) if case.kind == Kind.COPYRIGHT else None,
        "works_url": reverse("status_works", args=[token])
        if additions.where(case) is not additions.Where.NOWHERE
        else "",
        "link_url": reverse("link_new", args=[token]),
        "link_until": day(links.open_until(case)),
        "answer_url": reverse("status_answer", args=[token]) if case.status == S.INFORMATION else "",
        "doubt_url": reverse("proof_document", args=[token]) if rule(case.kind).personal and open_doubt(case) else "",
        "texts_url": reverse("status_texts_delete", args=[token]) if texts.deletable(case) else "",
        "sharing_url": reverse("status_sharing", args=[token]) if sharing.consent_of(case) else "",
        "withdraw_url": reverse("withdraw", args=[token]) if can_withdraw(case) else "",
        "verify_url": reverse("verify"),
        "proof_url": reverse("proof", args=[token]) if case.is_open else "",
        "person": rule(case.kind).personal,
        "follow": [
            {"url": reverse("follow", args=[token, relation.value]), "text": FOLLOW[relation]["title"]}
            for relation in children.follow_ups(case, claimant=True)
        ],
        "reports": [*([_report(report, token)] if report else []), *(_paper(one, token) for one in papers_of(case))],
    }


def papers_of(case: Case) -> list[Paper]:
    """Certificate and letter, once they are sealed and what they say may be told."""
    return list(case.papers.exclude(kind=Paper.Kind.COPY).order_by("kind", "id")) if findings_told(case) else []


def _paper(paper: Paper, token: str) -> dict[str, str]:
    title = (
        _("Certificate %(number)s, signed (PDF)")
        if paper.kind == Paper.Kind.CERTIFICATE
        else _("Letter %(number)s, signed (PDF)")
    )
    return {
        "title": title % {"number": paper.number},
        "url": reverse("status_paper", args=[token, paper.kind]),
        "digest": paper.pdf,
        "date": day(paper.created_at),
    }


def _report(report: Report, token: str) -> dict[str, str]:
    return {
        "title": _("Report %(number)s, signed (PDF)") % {"number": report.number},
        "url": reverse("status_report", args=[token]),
        "recipients_url": reverse("status_recipients", args=[token]) if hasattr(report.case, "release") else "",
        "json_url": reverse("status_evidence", args=[token]),
        "bundle_url": reverse("status_bundle", args=[token]) if report.proofs else "",
        "digest": report.pdf,
        "date": day(report.created_at),
    }
