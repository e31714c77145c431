"""What the desk does to a case beside the step that is due; part of the table in `case_actions`."""

from __future__ import annotations

from django.utils.translation import gettext as _

from governance.models import Case
from governance.policies import Actor
from governance.services import assignment, holds, interests, news, notes
from governance.web import desk_forms as forms
from governance.web.staff_forms import ConfirmForm, ShownForm


def take(case: Case, form: ConfirmForm, actor: Actor) -> str:
    """The case goes to whoever asks for it."""
    assignment.case_assign(case=case, officer=actor.user, actor=actor)
    return _("The case is yours.")


def seen(case: Case, form: forms.SeenForm, actor: Actor) -> str:
    """What the claimant wrote or sent was read."""
    if news.news_read(case=case, upto=form.cleaned_data["upto"], actor=actor):
        return _("Marked as read.")
    return _("More has come since you loaded the page; that is still unread.")


def assign(case: Case, form: forms.AssignForm, actor: Actor) -> str:
    """The case goes to the chosen person, or back."""
    officer = form.cleaned_data["officer"]
    assignment.case_assign(case=case, officer=officer, actor=actor)
    return _("The case is with %(name)s.") % {"name": officer} if officer else _("The case is with nobody.")


def note(case: Case, form: forms.NoteForm, actor: Actor) -> str:
    """A remark for colleagues."""
    notes.note_write(case=case, text=form.cleaned_data["text"], actor=actor)
    return _("The note is kept.")


def strike(case: Case, form: forms.StrikeForm, actor: Actor) -> str:
    """A note that was wrong."""
    notes.note_strike(case=case, note=form.cleaned_data["note"], actor=actor)
    return _("The note is struck; it stays readable.")


def declare(case: Case, form: forms.InterestForm, actor: Actor) -> str:
    """A conflict of interest."""
    interests.interest_declare(case=case, what=form.cleaned_data["what"], actor=actor)
    return _("Declared. Somebody else decides this case.")


def hold(case: Case, form: forms.HoldForm, actor: Actor) -> str:
    """Nothing of the case is deleted from now on."""
    holds.hold_set(case=case, reason=form.cleaned_data["reason"], actor=actor)
    return _("The hold is set. Nothing of the case is deleted while it stands.")


def lift_ask(case: Case, form: forms.LiftForm, actor: Actor) -> str:
    """First signature under lifting the hold."""
    holds.hold_lift_ask(case=case, reason=form.cleaned_data["reason"], actor=actor)
    return _("Signed. A second person now lifts the hold.")


def lift(case: Case, form: ShownForm, actor: Actor) -> str:
    """Second signature under lifting the hold."""
    holds.hold_lift(case=case, actor=actor, shown=form.cleaned_data["shown"])
    return _("The hold is lifted.")


def lift_end(case: Case, form: forms.LiftEndForm, actor: Actor) -> str:
    """What was asked is refused, or taken back."""
    holds.hold_lift_end(case=case, actor=actor, **form.cleaned_data)
    return _("The hold stays.")
