"""Letters to the claimant: composed from files, kept sealed, handed to the outbox; texts marked as read by somebody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from django.conf import settings
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format, get_format

from governance.clocks import LAWS, rows
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.models import Case, Decision, Disposition, Kind, Letter, LetterDraft, LetterReview, Relation
from governance.notifications import letters as files
from governance.notifications.languages import LANGUAGES, SOURCE, nearest
from governance.policies import Actor, Permission, demand, findings_told
from governance.selectors import organisation
from governance.selectors.letters import readers
from governance.services import links, outbox
from governance.services.codes import exception_words
from governance.services.shown import demand_shown
from governance.tokens import link_token

SYSTEM = Actor.system("notification")
#: Letters that tell how a case ended: the template has the disposition's name.
ENDINGS = frozenset(Disposition.values)
#: Letters that staff write when they see fit; all others are written by the step that they belong to.
BY_HAND = ("message", "late")
Reader = LetterReview.Reader
NOTHING: Mapping[str, str] = MappingProxyType({})
#: Laws with one statutory appeal, after which only the attorney general is left.
ONE_APPEAL = frozenset({"us_va", "us_co"})


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A letter as it would go out. `reviewed`: its text was read by whoever has to."""

    template: files.Template
    title: str
    body: str
    reviewed: bool


def private_link(case: Case, purpose: str) -> str:
    """The claimant's link to `status` or `confirm`."""
    token = case.private_token if purpose == "status" else link_token(case.public_id, purpose)
    return settings.BASE_URL + reverse(purpose, args=[token])


def letter_name(case: Case, template: str) -> str:
    """The template's name; `closed` stands for the letter of the case's disposition.

    Before it is shown who asks, a letter tells no more than the private page: whoever files in another's name has the
    address to which it goes. What was taken back or refused tells nothing of what was found.
    """
    if template != "closed" or not case.disposition:
        return "message" if template == "closed" else template
    silent = {Disposition.WITHDRAWN, Disposition.REFUSED}
    return str(case.disposition) if case.disposition in silent or findings_told(case) else "untold"


def readers_needed(language: str) -> tuple[LetterReview.Reader, ...]:
    """Who has to have read a text before its letters stop saying that nobody has."""
    return (Reader.COUNSEL,) if language == SOURCE else (Reader.COUNSEL, Reader.TRANSLATOR)


def is_reviewed(template: files.Template) -> bool:
    """Whether this very text was read by everybody who has to."""
    return readers(template.digest) >= {str(reader) for reader in readers_needed(template.language)}


def compose(
    case: Case,
    template: str,
    *,
    text: str = "",
    language: str = "",
    masked: bool = False,
    more: Mapping[str, str] = NOTHING,
) -> Composed:
    """Write a letter without keeping or sending it. `masked`: name and private links as `[[words]]`, for staff.
    `more`: fields and choices of passages that the case alone does not tell; `came_on` is a day in ISO 8601.

    Raises:
        LetterIncomplete: every merge field without a value, and passages that no file has.
    """
    name = letter_name(case, template)
    choices = {**_choices(case), **more}
    found = files.fitting(name, language or case.language, choices)
    values = _values(case, name, text, found.language, masked)
    written = files.write(found, {**values, **more, **_day(more, found.language)}, choices)
    reviewed = is_reviewed(found)
    body = written.body
    if not reviewed and found.language == SOURCE:
        body += f"\n\n--\n{files.passage('review.source', SOURCE)}"
    elif not reviewed:
        original = compose(case, template, text=text, language=SOURCE, masked=masked, more=more)
        note, head = (files.passage(f"review.{key}", found.language) for key in ("translation", "original"))
        body += f"\n\n--\n{note}\n\n{head}:\n\n{original.title}\n\n{original.body}"
    return Composed(template=found, title=written.title, body=body, reviewed=reviewed)


def text_reviewed(digest: str, language: str) -> bool:
    """Whether the text that a letter was made from was read by everybody who has to."""
    return readers(digest) >= {str(reader) for reader in readers_needed(language)}


def remedies(case: Case, language: str) -> list[str]:
    """What the claimant can do, by every law whose clock runs on the case."""
    return [files.passage(f"remedies.{word}", language) for word in dict.fromkeys(_remedies(case))]


def _remedies(case: Case) -> tuple[str, ...]:
    laws = [case.law, *(clock.law for clock in rows.active(case) if clock.law != case.law)]
    return tuple(_remedies_words(case, law) for law in laws)


def _choices(case: Case) -> files.Choices:
    """Which passage of each group fits the case; remedies of every law whose clock runs on it."""
    words = _law_words(case, case.law)
    return {
        **{group: str(case.kind) for group in ("about", "done", "partly")},
        **dict.fromkeys(("term", "verification"), words),
        "remedies": _remedies(case),
        "clock": "paused" if case.paused_on else "running",
        "report": "present" if hasattr(case, "report") else "absent",
        "page": "status",
        "added": "here",
        "objection": "own",
        "files": "taken",
    }


def _law_words(case: Case, law: str) -> str:
    """The house's policy has words of its own for works; requests that are about none get the general ones."""
    return "works" if law == "house" and case.kind == Kind.COPYRIGHT else law


def _remedies_words(case: Case, law: str) -> str:
    """Where the law knows one appeal, its outcome offers no second."""
    return f"appeal_{law}" if law in ONE_APPEAL and case.relation == Relation.APPEAL else _law_words(case, law)


def _values(case: Case, name: str, text: str, language: str, masked: bool) -> dict[str, str]:
    """The merge fields."""
    law = LAWS[case.law]
    free = text.strip() or _draft(case, name)
    with _dates_in(language) as form:
        dates = {"received": date_format(case.received_on, form), "due": date_format(case.due_on, form)}
    return {
        **dates,
        "number": case.number,
        "parent_number": case.parent.number if case.parent else "",
        "organisation": organisation.current().name,
        "article": law.article.split(";")[0],
        "citation": law.citation if not law.policy_only else "; ".join(_policy_words(case)),
        "text": free,
        "note": free if name in ENDINGS and name != Disposition.REFUSED else "",
        "reasons": (free if name == Disposition.REFUSED else "") or decided_reasons(case),
        "headline": case.report.headline_in(language) if hasattr(case, "report") else "",
        "name": "[[name]]" if masked else case.claimant.name,
        "status_link": "[[private link]]" if masked else private_link(case, "status"),
        "confirm_link": "[[private link]]" if masked else private_link(case, "confirm"),
    }


def _day(more: Mapping[str, str], language: str) -> dict[str, str]:
    if "came_on" not in more:
        return {}
    with _dates_in(language) as form:
        return {"came_on": date_format(date.fromisoformat(more["came_on"]), form)}


def _policy_words(case: Case) -> list[str]:
    """Our policy is named first; what lets works be reserved only where works are meant."""
    law = LAWS[case.law]
    return [law.ground(case.kind), *([law.citation] if case.kind == Kind.COPYRIGHT else [])]


@contextmanager
def _dates_in(language: str) -> Iterator[str]:
    """Dates are written in the letter's language; yields the form of a whole date."""
    with translation.override(language):
        yield "j F Y" if language == SOURCE else str(get_format("DATE_FORMAT"))


def decided_reasons(case: Case) -> str:
    """Why hits are not erased, as two people decided it: each reason once, with the exception that it rests on."""
    kept = Decision.objects.filter(match__case=case, approved_at__isnull=False).exclude(choice=Decision.Choice.ERASE)
    lines = []
    for one in kept.worded().order_by("id"):
        words = exception_words(case, one.exception) if one.exception else ""
        lines.append("\n".join(part for part in (str(one.reason).strip(), words and f"({words})") if part))
    return "\n\n".join(dict.fromkeys(line for line in lines if line))


def _draft(case: Case, name: str) -> str:
    draft = LetterDraft.objects.filter(case=case, template=name).first()
    return str(draft.text) if draft else ""


@transaction.atomic
def letter_send(*, case: Case, template: str, text: str = "", more: Mapping[str, str] = NOTHING) -> Letter:
    """Write a letter and hand it to the outbox, which sends it on commit.

    `template` is a file's name in `templates/letters/en`, or `closed` for the letter of the case's disposition; `text`
    its free part, `more` as for `compose`. Must run in the transaction of what it reports, which is refused if the
    letter cannot be written.

    Raises:
        LetterIncomplete: a merge field or a passage is missing; nothing is kept and nothing sent.
    """
    links.link_renew(case)
    made = compose(case, template, text=text, more=more)
    letter = Letter.objects.create(
        case=case,
        subject=case.claimant.subject,
        template=made.template.name,
        language=made.template.language,
        version=made.template.version,
        digest=made.template.digest,
        title=made.title,
        body=made.body,
    )
    source = {"language": letter.language, "version": letter.version, "text": letter.digest}
    body = {"template": letter.template, **source, "reviewed": made.reviewed}
    ledger.append(action="letter.written", actor=SYSTEM, case=case, body=body)
    LetterDraft.objects.filter(case=case, template=letter.template).delete()
    outbox.letter_queue(letter)
    return letter


@transaction.atomic
def letter_by_hand(*, case: Case, template: str, text: str, actor: Actor) -> Letter:
    """A letter that belongs to no step: a message, or word that the answer is late.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: a letter that a step writes itself, or without text.
    """
    demand(actor, Permission.WRITE_LETTER)
    if template not in BY_HAND:
        raise Unfit("This letter is written by the step that it belongs to.")
    ledger.append(action="letter.ordered", actor=actor, case=case, body={"template": template})
    return letter_send(case=case, template=template, text=text)


@transaction.atomic
def draft_keep(*, case: Case, template: str, text: str, actor: Actor, shown: str = "") -> None:
    """Keep the free part of a letter that a later step writes; an empty text removes it. `shown` names the draft whose
    place it takes, by its id.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: the case is closed, or other words stand than were shown.
    """
    demand(actor, Permission.WRITE_LETTER)
    if not case.is_open:
        raise Conflict("The case is closed; its last letter is written.")
    Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    drafts = LetterDraft.objects.filter(case=case, template=template)
    demand_shown(drafts.values_list("pk", flat=True).first() or "", shown)
    drafts.delete()
    if text.strip() and actor.user is not None:
        LetterDraft.objects.create(
            case=case, subject=case.claimant.subject, template=template, text=text.strip(), by=actor.user
        )
    ledger.append(action="letter.drafted", actor=actor, case=case, body={"template": template})


@transaction.atomic
def language_set(*, case: Case, language: str, actor: Actor) -> None:
    """In which language the claimant is written to from now on.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: there are no letters in that language.
    """
    demand(actor, Permission.WRITE_LETTER)
    if language not in LANGUAGES:
        raise Unfit(f"There are no letters in “{language[:8]}”; choose one of {', '.join(LANGUAGES)}.")
    Case.objects.filter(pk=case.pk).update(language=language)
    case.language = language
    ledger.append(action="letter.language", actor=actor, case=case, body={"language": language})


@transaction.atomic
def review_mark(*, template: str, language: str, digest: str, reader: str, actor: Actor) -> LetterReview:
    """Put on record that counsel or a translator has read this very text.

    Raises:
        NotAllowed: the policy refuses the actor. Conflict: the text changed meanwhile, or has this mark already.
        Unfit: no such reader; a translator for the language in which it was drafted.
    """
    demand(actor, Permission.REVIEW_LETTERS)
    found = files.template(template, language)
    if found.language != nearest(language) or reader not in {str(one) for one in readers_needed(found.language)}:
        raise Unfit("This text needs no such reader.")
    if found.digest != digest:
        raise Conflict("The text was changed since you opened it; read it again.")
    if actor.user is None:
        raise Unfit("A person marks a text as read.")
    try:
        with transaction.atomic():
            row = LetterReview.objects.create(
                template=found.name, language=found.language, digest=digest, reader=reader, by=actor.user
            )
    except IntegrityError as error:
        raise Conflict("This text has that mark already.") from error
    named = {"template": found.name, "language": found.language, "version": found.version}
    body = {**named, "text": digest, "reader": reader, "role": str(actor.user.role)}
    ledger.append(action="letter.reviewed", actor=actor, body=body)
    return row
