"""Works that a claimant adds after filing: to the case while nobody has signed its decision, else a case beside it.

What two people decided covers the works that they saw. A work that comes later is therefore never slipped under a
decision: it becomes a request of its own, with its own clock, and nothing that was shown is asked for again.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from governance import dispatch
from governance.errors import Conflict, Unfit
from governance.evidence import ledger
from governance.lifecycle import advance, beside_open
from governance.models import Case, CaseLink, ClaimedItem, Kind, Status
from governance.models.vault import keys_held
from governance.policies import CLAIMANT, Actor, Permission, demand
from governance.services import news
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
def works_add(*, case: Case, items: Sequence[Item], actor: Actor = CLAIMANT) -> Added:
    """Add works; what is there already is not added twice. They are looked for as those of the filing are.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: nothing new, more than a request takes, or a work without text or address.
        Conflict: the case is over, or is not about works.
    """
    demand(actor, Permission.ADD_WORKS, Permission.RUN_MACHINE)
    target = _target(_locked(case), actor)
    with keys_held():
        there = list(target.items.all())
        known = {(one.form, one.title, one.text) for one in there}
        new = [item for item in dict.fromkeys(items) if (item.form, item.title, item.text) not in known]
        if problems := _problems(new, len(there), sum(len(text) for _form, _title, text in known)):
            raise Unfit(problems)
        rows = items_keep(target, new, max((one.position for one in there), default=0) + 1)
    body = {"items": len(rows), "first": rows[0].position}
    ledger.append(action="works.added", actor=actor, case=target, body=body)
    search_again(target, rows, actor, f"item:{rows[-1].pk}")
    beside = {"added": "beside", "parent_number": case.number} if target.pk != case.pk else {}
    letter_send(case=target, template="added", more=beside)
    news.news_note(target)
    return Added(case=target, items=rows)


def _locked(case: Case) -> Case:
    return Case.objects.select_for_update(of=("self",), no_key=True).select_related("claimant").get(pk=case.pk)


def _target(case: Case, actor: Actor) -> Case:
    place = where(case)
    if place is Where.HERE:
        return case
    if place is Where.NOWHERE:
        raise Conflict(_("Nothing can be added to this request. File a new one."))
    links = CaseLink.objects.filter(case=case, why=CaseLink.Why.SAME_CLAIMANT, other__claimant=case.claimant_id)
    for link in links.order_by("-id"):
        other = _locked(link.other)
        if where(other) is Where.HERE:
            return other
    return beside_open(case=case, actor=actor)


def _problems(new: Sequence[Item], there: int, characters: int) -> list[str]:
    if not new:
        return [_("These works stand in your request already.")]
    found = []
    if there + len(new) > MAX_ITEMS:
        found.append(_("One request takes at most %(n)d works. File another one for the rest.") % {"n": MAX_ITEMS})
    if characters + sum(len(item.text) for item in new) > MAX_TOTAL:
        limit = {"n": f"{MAX_TOTAL // 10**6}"}
        found.append(
            _("The works of one request may have %(n)s million characters; file another for the rest.") % limit
        )
    if any(not item.text.strip() or len(item.text) > MAX_TEXT for item in new):
        limit = {"n": f"{MAX_TEXT // 10**6}"}
        found.append(_("Each work needs a text or an address, of at most %(n)s million characters.") % limit)
    return found


def text_came(*, case: Case, item: ClaimedItem, text: str, actor: Actor) -> None:
    """The text of a work that stood by its fingerprint until its file was scanned; none is kept after the end."""
    here = _locked(case)
    place = where(here)
    if place is Where.HERE:
        item.form, item.text = ClaimedItem.Form.FILE, text
        item.save(update_fields=["form", "text"])
        search_again(here, [item], actor, f"text:{item.pk}")
    elif place is Where.BESIDE:
        works_add(case=here, items=[Item(form=ClaimedItem.Form.FILE, title=item.title, text=text)], actor=actor)


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
