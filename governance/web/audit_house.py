"""What an auditor reads of the house: people and roles, versions of the organisation, agents, webhooks; no more."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from governance.models import HouseProfile, Role, RoleGrant, Subscription
from governance.models.two_people import Proposal
from governance.policies import Actor, Permission
from governance.selectors import house as select
from governance.selectors import organisation
from governance.web import agent_pages, organisation_words
from governance.web.duty_pages import Context, day, when
from governance.web.guards import staff

AUDIT = Permission.AUDIT
#: Rows of a part; the ledger has all.
SHOWN = 200
TABS = (
    ("audit", gettext_lazy("Samples and exports")),
    ("audit_people", gettext_lazy("People and roles")),
    ("audit_organisation", gettext_lazy("Organisation")),
    ("audit_agents", gettext_lazy("Agents")),
    ("audit_webhooks", gettext_lazy("Webhooks")),
)


def tabs(current: str) -> Context:
    """The auditor's pages."""
    links = [{"label": label, "url": reverse(name), "current": name == current} for name, label in TABS]
    return {"tabs": links, "tabs_label": _("Audit")}


def _sheet(request: HttpRequest, view: str, context: Context) -> HttpResponse:
    return render(request, "duties/sheet.html", {**tabs(view), **context})


def _answer(row: Proposal) -> Context | str:
    """Who answered, and how."""
    if row.approved_at:
        return {"text": str(row.approved_by), "note": when(row.approved_at)}
    if row.returned_at:
        own = row.returned_by == row.proposed_by
        text = _("taken back by %(who)s") if own else _("refused by %(who)s")
        return {"text": text % {"who": row.returned_by}, "note": when(row.returned_at)}
    return {"state": "waiting", "text": _("waiting")}


def _proposer(row: Proposal) -> Context:
    return {"text": str(row.proposed_by), "note": when(row.proposed_at)}


@require_safe
@staff(AUDIT)
def people(request: HttpRequest) -> HttpResponseBase:
    """Who can sign in, as what, since when and by whose word; and every role that was proposed."""
    actor = Actor.of(request.user)
    rows = select.accounts(actor)
    active = sum(one.user.is_active for one in rows)
    context = {
        "conclusion": ngettext("%(n)d person can sign in", "%(n)d people can sign in", active) % {"n": active},
        "sentence": _("Exports and the ledger name accounts by their number."),
        "parts": [
            {"id": "accounts", "title": _("Accounts"), "note": _("Without addresses and sign-ins."),
             "columns": [{"label": _("Number"), "num": True}, _("Name"), _("Role"), _("Held since"), _("Made"),
                         _("Account"), _("Second factor")],
             "rows": [_account(one) for one in rows]},
            {"id": "roles", "title": _("Roles that were proposed"), "note": _("Two administrators give a role."),
             "columns": [_("Whose"), _("Role"), _("Proposed by"), _("Answer")],
             "rows": [_grant(row) for row in select.grants(actor)[:SHOWN]], "empty": _("No role was proposed.")},
        ],
    }  # fmt: skip
    return _sheet(request, "audit_people", context)


def _account(one: select.Account) -> list[Any]:
    user, since = one.user, one.grant.applied_at if one.grant else None
    return [
        str(user.pk), str(user), str(Role(user.role).label),
        day(since) if since else _("the set-up") if user.role == Role.ADMINISTRATOR else "",
        {"text": day(user.date_joined), "note": str(one.made_by or _("by the installation"))},
        {"state": "pass", "text": _("active")} if user.is_active else {"state": "paused", "text": _("closed")},
        {"state": "pass", "text": _("active")} if one.second_factor
        else {"state": "waiting", "text": _("not set up")},
    ]  # fmt: skip


def _grant(row: RoleGrant) -> list[Any]:
    role = {"text": str(Role(row.role).label), "note": _("before: %(role)s") % {"role": Role(row.before).label}}
    return [str(row.person), role, _proposer(row), _answer(row)]


@require_safe
@staff(AUDIT)
def house(request: HttpRequest) -> HttpResponseBase:
    """What the house says of itself, and each version that was proposed."""
    now, versions = organisation.current(), list(select.profiles(Actor.of(request.user))[: SHOWN + 1])
    signed = sum(one.approved_at is not None for one in versions)
    context = {
        "conclusion": now.name,
        "sentence": ngettext("%(n)d version was signed", "%(n)d versions were signed", signed) % {"n": signed}
        if signed else _("From the settings: nobody has signed a version yet"),
        "parts": [
            {"id": "now", "title": _("Holds now"),
             "facts": [(label, organisation_words.shown(getattr(now, name)))
                       for name, label in organisation_words.LABELS.items()]},
            {"id": "versions", "title": _("Versions"), "note": _("None is ever changed."),
             "columns": [{"label": _("Version"), "num": True}, _("Says"), _("Proposed by"), _("Answer")],
             "rows": [[str(row.pk), _said(row), _proposer(row), _answer(row)] for row in versions[:SHOWN]],
             "empty": _("No version was proposed."),
             "next": _("An administrator proposes one under Set-up; another one signs it.")},
        ],
    }  # fmt: skip
    return _sheet(request, "audit_organisation", context)


def _said(row: HouseProfile) -> Context:
    """The name, and below it every other field that says something."""
    rest = [
        f"{label}: {organisation_words.shown(value)}"
        for name, label in organisation_words.LABELS.items()
        if name != "name" and (value := getattr(row, name))
    ]
    return {"text": row.name, "note": "; ".join([*rest, *([_("with a logo")] if row.logo else [])])}


@require_safe
@staff(AUDIT)
def agents(request: HttpRequest) -> HttpResponseBase:
    """Who files for others: mandates and keys, without whom a mandate is for."""
    actor = Actor.of(request.user)
    rows = list(select.agents(actor))
    context = {
        "conclusion": ngettext("%(n)d agent is known", "%(n)d agents are known", len(rows)) % {"n": len(rows)},
        "sentence": _("For whom a mandate is, and what shows it, the desk alone reads."),
        "parts": [
            {"id": "agents", "title": _("Agents and collecting societies"),
             "columns": [_("Name"), _("What"), {"label": _("Cases"), "num": True}, _("Entered")],
             "rows": [[row.name, row.get_what_display(), f"{row.cases:,}",  # type: ignore[attr-defined]
                       {"text": day(row.created_at), "note": str(row.created_by)}] for row in rows],
             "empty": _("Nobody is known yet."),
             "next": _("Legal officers enter one under Duties, once they saw its mandate.")},
            {"id": "mandates", "title": _("Mandates"),
             "columns": [_("Agent"), _("Kinds"), _("From"), _("Until"), _("Recorded"), _("State")],
             "rows": [[row.agent.name, ", ".join(row.kinds), day(row.valid_from), day(row.valid_until),
                       {"text": day(row.recorded_at), "note": str(row.recorded_by)},
                       _ended(agent_pages.mandate_state(row, timezone.localdate()), row)]
                      for row in select.mandates(actor)[:SHOWN]],
             "empty": _("No mandate is recorded."),
             "next": _("Legal officers record one on the agent's page.")},
            {"id": "keys", "title": _("Keys of the interface"), "note": _("Only a hash of each is kept."),
             "columns": [_("Key"), _("Agent"), _("Opens"), _("Issued"), _("Until"), _("Last used"), _("State")],
             "rows": [[{"text": f"{row.prefix}…", "mono": True, "note": row.label}, row.agent.name,
                       ", ".join(row.scopes), {"text": day(row.created_at), "note": str(row.created_by)},
                       day(row.expires_on), day(row.used_at) if row.used_at else _("never"),
                       _ended(agent_pages.key_state(row, timezone.localdate()), row)]
                      for row in select.keys(actor)[:SHOWN]],
             "empty": _("No key was issued."),
             "next": _("Legal officers issue one on the agent's page.")},
        ],
    }  # fmt: skip
    return _sheet(request, "audit_agents", context)


def _ended(state: dict[str, str], row: Any) -> dict[str, str]:
    return {**state, "note": f"{row.revoked_by}, {day(row.revoked_at)}"} if row.revoked_at else state


@require_safe
@staff(AUDIT)
def webhooks(request: HttpRequest) -> HttpResponseBase:
    """Which addresses are told what happens. Of an address the host: the rest may be a secret."""
    rows = list(select.subscriptions(Actor.of(request.user))[:SHOWN])
    told = sum(one.removed_at is None for one in rows)
    context = {
        "conclusion": ngettext("%(n)d address is told what happens", "%(n)d addresses are told what happens", told)
        % {"n": told},
        "sentence": _("Case number, event, stage, outcome and date. Never anything about a person."),
        "parts": [
            {"id": "subscriptions", "title": _("Subscriptions"),
             "note": _("Secrets and whole addresses are not shown."),
             "columns": [_("Name"), _("Host"), _("Events"), _("Made"), _("State")],
             "rows": [[row.name, urlsplit(row.url).hostname or "", ", ".join(row.events),
                       {"text": when(row.created_at), "note": str(row.created_by or "")}, _told(row)]
                      for row in rows],
             "empty": _("Nobody is told yet."),
             "next": _("Administrators add a subscription under Messages.")},
        ],
    }  # fmt: skip
    return _sheet(request, "audit_webhooks", context)


def _told(row: Subscription) -> dict[str, str]:
    if row.removed_at:
        return {"state": "paused", "text": _("removed"), "note": when(row.removed_at)}
    if row.stopped_at:
        return {"state": "fail", "text": _("stopped"), "note": row.stopped_why or when(row.stopped_at)}
    return {"state": "pass", "text": _("running")}
