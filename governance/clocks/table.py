"""The table of clocks as it stands in docs/clocks.md, written from the rules themselves."""

from __future__ import annotations

from governance.clocks.laws import LAWS
from governance.clocks.rules import Law, Rule

_HEAD = (
    "| Law | Version | In force since | Kinds | Answer by | Confirm receipt by | Pause | Extension "
    "| Weekend and holiday |",
    "|---|---|---|---|---|---|---|---|---|",
)


def as_markdown() -> str:
    """Every rule of every law: one table of clocks, then citations and calendars."""
    rows = [_row(rule) for law in LAWS.values() for rule in law.rules]
    parts = ["\n".join([*_HEAD, *rows])]
    parts += [_law(law) for law in LAWS.values()]
    return "\n\n".join(parts) + "\n"


def _row(rule: Rule) -> str:
    name = f"`{rule.law}`{', ' + rule.relation if rule.relation else ''}"
    cells = (
        name,
        str(rule.version),
        rule.applies_from.isoformat(),
        ", ".join(sorted(rule.kinds)),
        str(rule.answer),
        str(rule.confirm) if rule.confirm else "-",
        _pause(rule),
        _extension(rule),
        "next working day" if rule.next_working_day else "does not move",
    )
    return f"| {' | '.join(cells)} |"


def _pause(rule: Rule) -> str:
    known = [f"{stop.cause} ({', '.join(sorted(stop.kinds))})" for stop in rule.stops]
    if rule.restarts:
        known.append("identity: begins anew")
    return "; ".join(known) or "none"


def _extension(rule: Rule) -> str:
    if rule.extension is None:
        return "none"
    cap = f", {rule.extension.cap} days in all" if rule.extension.cap else ""
    return f"{rule.extension.span}, once{cap}"


def _law(law: Law) -> str:
    lines = [f"### {law.title} (`{law.code}`)"]
    for rule in law.rules:
        title = f"version {rule.version}" + (f", {rule.relation}" if rule.relation else "")
        lines += [
            f"- **{title}**, since {rule.applies_from.isoformat()}. Clock: {rule.article}. Rests on: {rule.citation}.",
            f"  Calendar: {rule.calendar}.",
        ]
        lines += [f"  Pause for {stop.cause}: {stop.article}." for stop in rule.stops]
        lines += [f"  Begins anew: {rule.restarts}."] if rule.restarts else []
        lines += [f"  Extension: {rule.extension.article}."] if rule.extension else []
        lines += [f"  No extension: {rule.no_extension}"] if rule.no_extension else []
        lines += [f"  Pause refused: {rule.no_stop}"] if rule.no_stop else []
    return "\n".join(lines)
