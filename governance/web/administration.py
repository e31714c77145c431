"""The administrator's room: who has an account, with which role, and what is done when somebody comes or leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.errors import Conflict, Unavailable, Unfit
from governance.forms_renderer import ChoiceCards
from governance.models import Role, User
from governance.policies import Actor, Permission
from governance.selectors import people as select
from governance.selectors.people import Person
from governance.services import people as service
from governance.validators import one_line
from governance.web.duty_pages import Shown
from governance.web.guards import staff

MANAGE = Permission.MANAGE_USERS
#: What a role brings, in words; what it may do in truth is in `policies`.
ROLE_NOTES = {
    Role.LEGAL: gettext_lazy("Checks proof, reviews and proposes decisions, signs releases for legal"),
    Role.APPROVER: gettext_lazy("Gives the second signature of a decision, signs releases for legal"),
    Role.ENGINEER: gettext_lazy("Registers models and data, confirms plans, stops jobs"),
    Role.RELEASE: gettext_lazy("Signs releases and records where they answer"),
    Role.EXECUTIVE: gettext_lazy("Reads figures, models and reports"),
    Role.AUDITOR: gettext_lazy("Reads cases, figures, reports and the ledger; changes nothing"),
    Role.ADMINISTRATOR: gettext_lazy("Manages accounts together with a second administrator; sees no case"),
}


def _role_field() -> forms.ChoiceField:
    notes = {role.value: note for role, note in ROLE_NOTES.items()}
    return forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=[(role, Role(role).label) for role in service.OFFERED],
        widget=ChoiceCards(cards=False, notes=notes),
    )


class PersonForm(forms.Form):
    """Somebody who comes."""

    first_name = forms.CharField(
        label=gettext_lazy("First name"), max_length=150, validators=[one_line],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    last_name = forms.CharField(
        label=gettext_lazy("Last name"), max_length=150, validators=[one_line],
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"), help_text=gettext_lazy("The person signs in with it."), max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    role = _role_field()


class RoleForm(forms.Form):
    """Another role."""

    role = _role_field()


class Step(Protocol):
    """A service on one account."""

    def __call__(self, *, person: User, actor: Actor) -> Any:
        """See `services.people`."""


def _moment(at: datetime | None) -> str:
    return date_format(timezone.localtime(at), "j M Y, H:i") if at else _("never")


def _account(user: User) -> dict[str, Any]:
    return {"state": "pass", "text": _("active")} if user.is_active else {"state": "paused", "text": _("closed")}


def _factor(person: Person) -> dict[str, Any]:
    if person.second_factor:
        return {"state": "pass", "text": _("active")}
    return {"state": "waiting", "text": _("not set up")}


def _role_words(person: Person) -> str:
    """The role, and the one that waits for a signature."""
    role = str(Role(person.user.role).label)
    if person.grant is None:
        return role
    return _("%(role)s; %(proposed)s waits for a second signature") % {
        "role": role, "proposed": Role(person.grant.role).label.lower()}  # fmt: skip


def _row(person: Person) -> list[Any]:
    user = person.user
    return [
        {"text": str(user), "url": reverse("person", args=[user.pk])},
        user.email, _role_words(person), _account(user), _factor(person), _moment(user.last_login),
    ]  # fmt: skip


def _list_page(request: HttpRequest, form: PersonForm | None = None, status: int = 200) -> HttpResponse:
    rows = select.people(Actor.of(request.user))
    active = [person for person in rows if person.user.is_active]
    bare = sum(not person.second_factor for person in active)
    without = ngettext(
        "%(n)d has no second factor: reading is open, deciding is not.",
        "%(n)d have no second factor: reading is open, deciding is not.",
        bare,
    ) % {"n": bare}
    context = {
        "conclusion": ngettext("%(n)d person can sign in", "%(n)d people can sign in", len(active))
        % {"n": len(active)},
        "sentence": without if bare else _("Everybody has a second factor."),
        "columns": [_("Name"), _("E-mail"), _("Role"), _("Account"), _("Second factor"), _("Last sign-in")],
        "rows": [_row(person) for person in rows],
        "form": form or PersonForm(),
        "form_open": form is not None,
    }
    return render(request, "administration/people.html", context, status=status)


@require_safe
@staff(MANAGE)
def people(request: HttpRequest) -> HttpResponseBase:
    """Every account."""
    return _list_page(request)


@require_POST
@staff(MANAGE, decide=True)
def person_new(request: HttpRequest) -> HttpResponseBase:
    """Make an account and send its person the link by which they choose a password."""
    form = PersonForm(request.POST)
    if form.is_valid():
        try:
            made = service.person_create(**form.cleaned_data, actor=Actor.of(request.user))
        except Unfit as error:
            _tell(form, error.messages)
        else:
            _invite(request, made)
            return redirect("person", pk=made.pk)
    return _list_page(request, form, status=422)


def _invite(request: HttpRequest, person: User) -> None:
    """Send the invitation; the page says whether the mail server took it."""
    try:
        service.invitation_send(person=person, actor=Actor.of(request.user))
    except Unavailable as error:
        messages.error(request, str(error))
    else:
        messages.success(
            request,
            _("The invitation is on its way to %(email)s. Its link works once, for %(days)d days.")
            % {"email": person.email, "days": settings.PASSWORD_RESET_TIMEOUT // 86400},
        )


@require_POST
@staff(MANAGE, decide=True)
def person_invite(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send the invitation again."""
    _invite(request, _fetch(request, pk).user)
    return redirect("person", pk=pk)


def _tell(form: forms.Form, problems: Sequence[str]) -> None:
    for problem in problems:
        form.add_error("email" if problem == service.TAKEN else None, problem)


def _fetch(request: HttpRequest, pk: int) -> Person:
    try:
        return select.person_get(Actor.of(request.user), pk)
    except User.DoesNotExist as error:
        raise Http404 from error


@require_safe
@staff(MANAGE)
def person(request: HttpRequest, pk: int) -> HttpResponseBase:
    """One account, and what can be done with it."""
    return _person_page(request, _fetch(request, pk))


def _person_page(request: HttpRequest, found: Person, form: RoleForm | None = None, status: int = 200) -> HttpResponse:
    user = found.user
    factor, account = _factor(found), _account(user)
    own = request.user.pk == user.pk
    context = {
        "crumbs": [{"label": _("People"), "url": reverse("people")}, {"label": str(user)}],
        "conclusion": str(user),
        "facts": [
            (_("E-mail"), user.email),
            (_("Role"), _role_words(found)),
            {"label": _("Account"), "value": account["text"], "state": account["state"]},
            {"label": _("Second factor"), "value": factor["text"], "state": factor["state"]},
            (_("Last sign-in"), _moment(user.last_login)),
            (_("Made"), _moment(user.date_joined)),
        ],
        "own": own,
        "steps": [] if own else _steps(found, form, request.user.pk),
    }
    return render(request, "administration/person.html", context, status=status)


def _steps(found: Person, form: RoleForm | None, reader: int | None) -> list[dict[str, Any]]:
    """The forms of a page: title, what it brings, form, address, button."""
    user = found.user

    def step(name: str, title: str, note: str, **more: Any) -> dict[str, Any]:
        return {"title": title, "note": note, "action": reverse(name, args=[user.pk]), "submit": title, **more}

    offered = _role_steps(found, form, reader, step)
    if user.is_active and user.last_login is None:
        note = _("A link by e-mail by which the person chooses a password. Nobody else ever knows it.")
        offered.insert(0, step("person_invite", _("Send the invitation again"), note))
    if found.second_factor:
        offered.append(
            step(
                "person_second_factor", _("Remove the second factor"),
                _("For a lost authenticator. Its recovery codes go too and every session of this account ends. "
                  "Until a new one is set up the person can read but not decide."),
            )
        )  # fmt: skip
    if user.is_active:
        note = _("Every session of this account ends at once. What the person signed stays, and so does the account.")
        offered.append(step("person_deactivate", _("Close the account"), note))
    else:
        note = _("The person signs in again as before. The role comes back when another administrator signs it.")
        offered.append(step("person_activate", _("Activate the account again"), note))
    return offered


def _role_steps(
    found: Person, form: RoleForm | None, reader: int | None, step: Callable[..., Any]
) -> list[dict[str, Any]]:
    """Propose, sign, send back or take away a role."""
    user, grant, steps = found.user, found.grant, []
    if grant is not None:
        words = {"role": Role(grant.role).label, "who": grant.proposed_by}
        if grant.proposed_by_id != reader:
            note = _("%(who)s proposes: %(role)s. With your signature it holds from the next click.") % words
            shown = Shown(initial={"shown": grant.pk}, auto_id=False)
            steps.append(step("person_role_approve", _("Sign the role"), note, form=shown, open=True))
        note = _("%(who)s proposes: %(role)s. The account keeps the role that it has.") % words
        steps.append(step("person_role_return", _("Send the proposed role back"), note))
    elif user.is_active:
        note = _("Another administrator signs it; until then nothing changes. What was signed stays signed.")
        role = form or RoleForm(initial={"role": user.role})
        steps.append(step("person_role", _("Propose another role"), note, form=role, open=form is not None))
    if user.role != Role.NONE:
        note = _("It ends at once. To give it back takes two administrators.")
        steps.append(step("person_role_remove", _("Take the role away"), note))
    return steps


@require_POST
@staff(MANAGE, decide=True)
def person_role(request: HttpRequest, pk: int) -> HttpResponseBase:
    """First signature under another role."""
    found, form = _fetch(request, pk), RoleForm(request.POST)
    if not form.is_valid():
        return _person_page(request, found, form, status=422)
    service.role_propose(person=found.user, role=form.cleaned_data["role"], actor=Actor.of(request.user))
    messages.success(request, _("Signed. Another administrator now signs as well."))
    return redirect("person", pk=pk)


@require_POST
@staff(MANAGE, decide=True)
def person_role_approve(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Second signature under the role that was shown; where another one waits by now, the page says so."""
    found = _fetch(request, pk)
    try:
        service.role_approve(person=found.user, actor=Actor.of(request.user), shown=request.POST.get("shown", ""))
    except Conflict as error:
        messages.error(request, str(error))
        return _person_page(request, _fetch(request, pk), status=error.status)
    messages.success(request, _("Signed: the role holds from the next click."))
    return redirect("person", pk=pk)


def _step_view(perform: Step, done: Any) -> Callable[..., HttpResponseBase]:
    @require_POST
    @staff(MANAGE, decide=True)
    def view(request: HttpRequest, pk: int) -> HttpResponseBase:
        perform(person=_fetch(request, pk).user, actor=Actor.of(request.user))
        messages.success(request, str(done))
        return redirect("person", pk=pk)

    return view


person_deactivate = _step_view(service.person_deactivate, gettext_lazy("Closed; its sessions have ended."))
person_activate = _step_view(service.person_activate, gettext_lazy("Active again; the role waits for a signature."))
person_role_return = _step_view(service.role_return, gettext_lazy("Sent back; the account keeps the role that it has."))
person_role_remove = _step_view(service.role_remove, gettext_lazy("The role is taken away."))
person_second_factor = _step_view(
    service.second_factor_remove,
    gettext_lazy("Removed, and its sessions have ended. The person sets up a new one at the next decision."),
)
