"""The desk's two steps about abuse; part of the table in `case_actions`."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.errors import KeyDestroyed
from governance.forms_renderer import ChoiceCards
from governance.models import AbuseFinding, Case
from governance.policies import Actor, Permission, may
from governance.services import abuse as service
from governance.web.case_matches import free_text
from governance.web.staff_forms import CaseForm, ShownForm, reason_field


class AbuseForm(CaseForm):
    """Why a request is abuse, for the claimant to read."""

    ground = forms.ChoiceField(
        label=gettext_lazy("Ground"), choices=AbuseFinding.Ground.choices, widget=ChoiceCards(cards=False)
    )
    reasons = reason_field(
        gettext_lazy("Reasons"),
        gettext_lazy("The claimant reads them once a second person has signed. It is for us to show it (GDPR 12(5))."),
    )


class AbuseSecondForm(ShownForm):
    """The second person's answer."""

    choice = forms.ChoiceField(
        label=gettext_lazy("Your answer"),
        choices=[
            ("find", gettext_lazy("I find it too: mark the case and tell the claimant")),
            ("return", gettext_lazy("I do not: the request goes on like every other")),
        ],
        widget=ChoiceCards(cards=False),
    )


def propose(case: Case, form: AbuseForm, actor: Actor) -> str:
    """First signature."""
    service.abuse_propose(case=case, **form.cleaned_data, actor=actor)
    return _("Signed. A second person now decides; until then nothing changes for the claimant.")


def answer(case: Case, form: AbuseSecondForm, actor: Actor) -> str:
    """Second signature, or none."""
    shown = form.cleaned_data["shown"]
    if form.cleaned_data["choice"] == "return":
        service.abuse_return(case=case, actor=actor, shown=shown)
        return _("Given back. The request goes on like every other.")
    service.abuse_approve(case=case, actor=actor, shown=shown)
    return _("Found by two. The claimant is being told, and how to object.")


def take_back(case: Case, form: CaseForm, actor: Actor) -> str:
    """The proposal is void, at the word of whoever made it."""
    service.abuse_return(case=case, actor=actor)
    return _("Taken back. The request goes on like every other.")


def offers(case: Case, row: AbuseFinding | None, actor: Actor) -> list[tuple[str, str, str]]:
    """Name, title and button of the step that this person may make now."""
    if row is None and case.is_open and may(actor, Permission.PROPOSE_ABUSE):
        return [("abuse", _("Propose to find abuse"), _("Sign first"))]
    waits = row is not None and row.approved_at is None
    if waits and row is not None and row.proposed_by == actor.user:
        return [("abuse_end", _("Take back the proposal to find abuse"), _("Take it back"))]
    if waits and may(actor, Permission.APPROVE_ABUSE):
        return [("abuse_second", _("Answer the proposal to find abuse"), _("Sign second"))]
    return []


def reasons(case: Case, row: AbuseFinding, actor: Actor) -> str:
    """Why, as the claimant reads it: what the second person signs."""
    try:
        return free_text(case, row.reasons, actor)
    except KeyDestroyed:
        return "—"


def notice(case: Case, row: AbuseFinding | None, actor: Actor) -> dict[str, Any] | None:
    """The mark of the case, with the reasons."""
    if row is None:
        return None
    ground = f"{row.get_ground_display()}. {reasons(case, row, actor)}"
    if row.approved_at is None:
        title, text = _("A finding of abuse is proposed"), _("%(ground)s A second person's signature is due.")
        return {"kind": "info", "title": title, "text": text % {"ground": ground}}
    day = date_format(row.approved_at, "j F Y")
    title = _("Abuse, found by two people on %(day)s") % {"day": day}
    return {"kind": "at_risk", "title": title, "text": _("%(ground)s The claimant was told.") % {"ground": ground}}
