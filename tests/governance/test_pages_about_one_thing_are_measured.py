"""The bench of pages finds something behind every address that names a thing: none is left unmeasured."""

from __future__ import annotations

from django.urls import reverse

from governance.models import Role
from tests.bench import object_pages
from tests.e2e.test_every_page_fits import NO_PAGES, PAGES
from tests.governance.test_policy_urls import DOORS, World, world

__all__ = ["world"]


def test_every_page_about_one_thing_is_among_those_that_are_measured(world: World) -> None:
    paths = {path.partition("?")[0] for _role, path in object_pages.pages()}
    found = object_pages.things()
    named = [name for name in PAGES if DOORS[name].args and name not in NO_PAGES]
    missing = [name for name in named if not paths & {reverse(name, args=a) for a in found[DOORS[name].args]}]
    assert len(named) > 20 and not missing


def test_each_is_seen_by_somebody_who_may_enter(world: World) -> None:
    rows = object_pages.pages()
    assert {role for role, _path in rows} <= {"", *(role.value for role in Role)}
    assert sum("?tab=" in path for _role, path in rows) > 8
