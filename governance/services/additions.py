"""Works that are added after filing: to the case while nobody has signed its decision, else a case beside it. Word that
is older than the case makes a case beside it too, which begins on its day: joined, it would be answered too late.

What two people decided covers the works that they saw. A work that comes later is therefore never slipped under a
decision: it becomes a request of its own, with its own clock, and nothing that was shown is asked for again.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from governance import dispatch
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance, beside_open
from governance.models import Case, CaseLink, Channel, ClaimedItem, Kind, Status, User
from governance.models.vault import keys_held
from governance.policies import CLAIMANT, Actor, Permission, demand
from governance.services import deadlines, news, notes
from governance.services.fingerprints import WITHOUT_TEXT
from governance.services.intake import MAX_ITEMS, MAX_TEXT, MAX_TOTAL, Item, items_keep
from governance.services.notification import letter_send

S = Status
_BEFORE = frozenset({S.RECEIVED, S.PROOF, S.REVIEW, S.INFORMATION})
_LOOKED = frozenset({S.MATCHING, S.DECISION})


class Where(enum.Enum):
    """Where works go that are added now."""

    HERE = "into the case"
    BESIDE = "into a case of its own"
    NOWHERE = "nowhere: the case is over, or is not about works"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Who adds works, and how word of them came; staff also say on which day it came, and from whom they have it."""

    actor: Actor = CLAIMANT
    channel: Channel = Channel.FORM
    came_on: date | None = None
    said: str = ""
    #: Of a text that the machine reads late: which of the staff entered its file.
    entered_by: User | None = None

    @property
    def enterer(self) -> User | None:
        """Which of the staff stands behind the works, and signs nothing second."""
        return self.entered_by or self.actor.user

    def problems(self) -> list[str]:
        """What staff have to say and do not; nothing is asked of a claimant or the machine."""
        if self.actor.user is None:
            return []
        found = [] if self.said.strip() else ["Write who said so, and what was said."]
        if self.came_on is None or self.came_on > timezone.localdate():
            found.append("Name the day on which it came; it does not lie in the future.")
        return found


OWN = Source()


@dataclass(frozen=True, kw_only=True)
class Added:
    """The works that are new, and the case in which they stand."""

    case: Case
    items: list[ClaimedItem]


def where(case: Case) -> Where:
    """Where works go; appeals, complaints and cases that the house opened are about the works that they have."""
    if case.kind != Kind.COPYRIGHT or case.relation or case.status in (S.NOTIFICATION, S.CLOSED):
        return Where.NOWHERE
    unsigned = case.status in _LOOKED and case.proposed_by_id is None
    return Where.HERE if case.status in _BEFORE or unsigned else Where.BESIDE


@transaction.atomic
def works_add(*, case: Case, items: Sequence[Item], source: Source = OWN) -> Added:
    """Add works; what is there already is not added twice. They are looked for as those of the filing are.

    Where staff add them for somebody, a note under the claimant's key keeps who said so, and the claimant is told too.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: nothing new, more than a request takes, a work without text or address, or nobody said so.
        Conflict: the case is over, or is not about works.
    """
    actor = source.actor
    demand(actor, Permission.ADD_WORKS, Permission.ENTER_CASE, Permission.RUN_MACHINE)
    if problems := source.problems():
        raise Unfit(problems)
    target = _target(_locked(case), source)
    with keys_held():
        there = list(target.items.all())
        known = {(one.form, one.title, one.text) for one in there}
        new = [item for item in dict.fromkeys(items) if (item.form, item.title, item.text) not in known]
        if problems := _problems(new, len(there), sum(len(text) for _form, _title, text in known)):
            raise Unfit(problems)
        first = max((one.position for one in there), default=0) + 1
        came = {"channel": source.channel, "came_on": source.came_on or timezone.localdate()}
        rows = items_keep(target, new, first, entered_by=source.enterer, **came)
    body = {"items": len(rows), "first": rows[0].position, **_word(target, source)}
    ledger.append(action="works.added", actor=actor, case=target, body=body)
    search_again(target, rows, actor, f"item:{rows[-1].pk}")
    letter_send(case=target, template="added", more=_letter(case, target, source))
    if actor.user is None:
        news.news_note(target)
    return Added(case=target, items=rows)


def _letter(case: Case, target: Case, source: Source) -> dict[str, str]:
    """What the letter says of where the works are, and of how word came that the staff entered."""
    place = "here" if target.pk == case.pk else "beside"
    more = {"added": place, "parent_number": case.number}
    if source.enterer is None or source.came_on is None or source.channel not in (Channel.POST, Channel.PHONE):
        return more
    if place == "beside" and where(case) is Where.HERE:
        place = "earlier"
    told = {"added": f"{source.channel.value}_{place}", "objection": "told", "came_on": source.came_on.isoformat()}
    return more | told


def _word(case: Case, source: Source) -> dict[str, str | int]:
    """How word came that staff entered; who said so stands in a note that the person's key seals."""
    if source.actor.user is None or source.came_on is None:
        return {}
    note = notes.note_write(case=case, text=source.said, actor=source.actor)
    return {"channel": str(source.channel), "came_on": source.came_on.isoformat(), "note": note.pk}


def _locked(case: Case) -> Case:
    return Case.objects.select_for_update(of=("self",), no_key=True).select_related("claimant").get(pk=case.pk)


def _target(case: Case, source: Source) -> Case:
    place = where(case)
    if place is Where.HERE and (source.came_on is None or case.received_on <= source.came_on):
        return case
    if place is Where.NOWHERE:
        raise Conflict(_("Nothing can be added to this request. File a new one."))
    links = CaseLink.objects.filter(case=case, why=CaseLink.Why.SAME_CLAIMANT, other__claimant=case.claimant_id)
    for link in links.order_by("-id"):
        other = _locked(link.other)
        # A case that began later would take the days between from the works.
        if where(other) is Where.HERE and (source.came_on is None or other.received_on <= source.came_on):
            return other
    made = beside_open(case=case, actor=source.actor, channel=source.channel, came_on=source.came_on)
    deadlines.date_watch(made.clocks.get())
    return made


def _problems(new: Sequence[Item], there: int, characters: int) -> list[str]:
    if not new:
        return [_("These works stand in your request already.")]
    found = []
    if there + len(new) > MAX_ITEMS:
        found.append(_("One request takes at most %(n)d works. File another one for the rest.") % {"n": MAX_ITEMS})
    found += _too_long(characters + sum(len(item.text) for item in new))
    if any(not item.text.strip() or len(item.text) > MAX_TEXT for item in new):
        limit = {"n": f"{MAX_TEXT // 10**6}"}
        found.append(_("Each work needs a text or an address, of at most %(n)s million characters.") % limit)
    return found


def _too_long(characters: int) -> list[str]:
    if characters <= MAX_TOTAL:
        return []
    limit = {"n": f"{MAX_TOTAL // 10**6}"}
    return [_("The works of one request may have %(n)s million characters; file another for the rest.") % limit]


def text_came(*, case: Case, item: ClaimedItem, text: str, actor: Actor) -> None:
    """The text of a work that stood by its fingerprint until its file was scanned; none is kept after the end.

    Raises:
        Unfit: with it the works would be longer than one request takes.
    """
    here = _locked(case)
    place = where(here)
    if place is Where.HERE:
        others = here.items.exclude(pk=item.pk)
        if problem := _too_long(sum(len(one.text) for one in others) + len(text)):
            raise Unfit(problem)
        item.form, item.text = ClaimedItem.Form.FILE, text
        item.save(update_fields=["form", "text"])
        search_again(here, [item], actor, f"text:{item.pk}")
    elif place is Where.BESIDE:
        source = _source_of(item, here, actor)
        works_add(case=here, items=[Item(form=ClaimedItem.Form.FILE, title=item.title, text=text)], source=source)


def _source_of(item: ClaimedItem, case: Case, actor: Actor) -> Source:
    """How, when and by whom a work came; one that was not added came with the case."""
    came = Channel(item.channel or case.channel)
    if item.came_on is not None:
        return Source(actor=actor, channel=came, came_on=item.came_on, entered_by=item.entered_by)
    by = item.entered_by or case.entered_by
    return Source(actor=actor, channel=came, came_on=case.received_on, entered_by=by)


def search_again(case: Case, items: Sequence[ClaimedItem], actor: Actor, cause: str) -> None:
    """Works with text are looked for once more, where the search is under way or done; a record counts once.

    `cause` names the job: one for each addition, and for each text that came later.
    """
    if case.status not in _LOOKED or all(item.form in WITHOUT_TEXT for item in items):
        return
    if case.status == S.DECISION:
        advance(case=case, to=S.MATCHING, actor=actor, reason="Works were added")
        return
    dispatch.enqueue(kind="match", case=case, key=f"match:{case.pk}:{cause}")
