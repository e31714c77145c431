"""docs/clocks.md holds the table of the rules as they are; every rule is cited, dated and versioned."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.clocks import LAWS
from governance.clocks.table import as_markdown
from tests.governance.conftest import TODAY

PAGE = Path(__file__).parents[2] / "docs" / "clocks.md"
RULES = [rule for law in LAWS.values() for rule in law.rules]


def test_the_table_in_the_docs_is_current() -> None:
    written = PAGE.read_text().partition("## Table of clocks\n\n")[2]
    assert written.strip() == as_markdown().strip(), (
        "run: python manage.py clock --table, and put it into docs/clocks.md"
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.law} {rule.version} {rule.relation}")
def test_every_rule_is_cited_dated_and_says_what_it_refuses(rule) -> None:
    assert rule.citation and rule.article and rule.calendar and rule.version >= 1 and rule.applies_from <= TODAY
    assert rule.extension or rule.no_extension
    assert rule.no_stop
    assert not rule.confirm or rule.confirm_article
    assert rule.kinds <= {*LAWS[rule.law].grounds}


def test_the_regimes_are_those_that_the_house_knows() -> None:
    assert list(LAWS) == ["gdpr", "uk_gdpr", "ccpa", "us_va", "us_co", "lgpd", "quebec", "gpai", "house"]
    for law in LAWS.values():
        versions = [(rule.relation, rule.version, rule.applies_from) for rule in law.rules]
        assert len({one[:2] for one in versions}) == len(versions)
        plain = [since for relation, _version, since in versions if not relation]
        assert plain == sorted(plain)
