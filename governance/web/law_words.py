"""Every law by whose clock the house answers, as the set-up names it: from the rules themselves, by its place."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from governance.clocks import LAWS, Law, Place, Rule, due_date, home_of, place_of
from governance.clocks.places import UNION
from governance.models import Kind, Relation


def table(house: str, today: date) -> dict[str, Any]:
    """Columns and rows for the `table` tag: a row for each clock that is in force today."""
    return {
        "columns": [_("Law"), _("Requests"), _("Answer by"), _("Where it stands"), _("Calendar"), _("Asked today")],
        "rows": [_row(law, rule, house, today) for law in LAWS.values() for rule in _in_force(law, today)],
    }


def _in_force(law: Law, today: date) -> list[Rule]:
    """The ordinary rule of today, and those of appeals and complaints that have a clock of their own."""
    relations = dict.fromkeys(rule.relation for rule in law.rules if rule.applies_from <= today)
    return [law.rule_on(today, relation) for relation in relations]


def _row(law: Law, rule: Rule, house: str, today: date) -> list[Any]:
    relation = str(Relation(rule.relation).label).lower() if rule.relation else ""
    kinds = [str(Kind(kind).label) for kind in Kind.values if kind in rule.kinds]
    since = _("version %(n)d, since %(day)s") % {"n": rule.version, "day": date_format(rule.applies_from, "j M Y")}
    return [
        {"text": f"{law.title}, {relation}" if relation else law.title, "note": since},
        ", ".join(kinds),
        {"text": str(rule.answer), "note": "; ".join(_beside(rule))},
        {"text": rule.article, "note": rule.citation},
        _calendar(rule, home_of(rule, house), house),
        "" if relation else date_format(due_date(law.code, today, house=house).due, "j M Y"),
    ]


def _beside(rule: Rule) -> list[str]:
    """What else the clock knows: a receipt to be confirmed, more time, where a last day moves."""
    found = []
    if rule.confirm:
        found.append(_("receipt confirmed within %(span)s") % {"span": rule.confirm})
    if rule.extension:
        found.append(_("once %(span)s more, with reasons") % {"span": rule.extension.span})
    if rule.next_working_day:
        found.append(_("a free last day moves to the next working day"))
    return found


def _calendar(rule: Rule, place: Place, house: str) -> dict[str, str]:
    """Whose public holidays count, and whether that is the house's choice or the law's."""
    if house and place == place_of(house):
        text = _("yours: %(place)s") % {"place": place}
    elif place.country == UNION:
        text = _("weekends only: no member state is named")
    else:
        text = _("the law's own: %(place)s") % {"place": place}
    return {"text": text, "note": rule.calendar}
