"""Saved filters: a person's own, or shared. A convenience, no fact about a case: the ledger is not told."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.http import QueryDict

from governance.errors import NotAllowed, Unfit
from governance.models import SavedFilter
from governance.policies import Actor, Permission, demand

LENGTH = 500
#: A page's place in the list, and what names the filter itself, are no part of it.
PASSING = ("after", "saved", "csrfmiddlewaretoken")


def plain_query(query: str) -> str:
    """The query as it is kept: ordered, without empty values and without the place in the list."""
    given = QueryDict(query.lstrip("?"))
    pairs = sorted((name, value) for name, values in given.lists() for value in values if value and name not in PASSING)
    kept = QueryDict(mutable=True)
    for name, value in pairs:
        kept.appendlist(name, value)
    return kept.urlencode()


@transaction.atomic
def filter_save(*, name: str, query: str, shared: bool, actor: Actor) -> SavedFilter:
    """Keep what the queue shows now under a name; the same name again replaces it.

    Raises:
        NotAllowed: the policy refuses the actor.
        Unfit: no name, nothing filtered, or more than an address holds.
    """
    demand(actor, Permission.SEE_CASES)
    if actor.user is None:
        raise NotAllowed("A filter has an owner.")
    kept, words = plain_query(query), " ".join(name.split())
    problems = []
    if not words:
        problems.append("Give the filter a name.")
    if len(words) > 60:
        problems.append("A name has at most 60 characters.")
    if not kept:
        problems.append("Nothing is filtered here; choose something first.")
    if len(kept) > LENGTH:
        problems.append("This is more than a saved filter holds; leave something out.")
    if "\0" in words or "%00" in kept:
        problems.append("It holds a NUL character, so it is no plain text. Write it again.")
    if "@" in words or "%40" in kept:
        problems.append("An e-mail address is not kept in a filter.")
    if problems:
        raise Unfit(problems)
    try:
        return SavedFilter.objects.update_or_create(
            owner=actor.user, name=words, defaults={"query": kept, "shared": shared}
        )[0]
    except IntegrityError as error:
        raise Unfit("A filter of this name was saved a moment ago; load the page again.") from error


def filter_drop(*, pk: int, actor: Actor) -> None:
    """Remove one's own filter.

    Raises:
        NotAllowed: it is somebody else's, or gone.
    """
    demand(actor, Permission.SEE_CASES)
    if actor.user is None or not SavedFilter.objects.filter(pk=pk, owner=actor.user).delete()[0]:
        raise NotAllowed("Only your own filters can be removed.")
