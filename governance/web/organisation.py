"""Setting the house up: what is done, what is not, and the organisation as notices, letters and reports name it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.errors import Unfit
from governance.forms_renderer import CheckCards
from governance.models import HouseProfile
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission
from governance.selectors import organisation as select
from governance.services import organisation as service
from governance.services import set_up
from governance.services.set_up import Point
from governance.web import law_words
from governance.web.guards import staff
from governance.web.limits import limited
from governance.web.organisation_words import LABELS, shown

MANAGE = Permission.MANAGE_USERS


def _text(label: Any, hint: Any = "", **more: Any) -> forms.CharField:
    return forms.CharField(label=label, help_text=hint, max_length=300, **more)


class ProfileForm(forms.Form):
    """A version of the organisation; what is wrong is told by the service, all at once."""

    name = _text(gettext_lazy("Name of the organisation"), gettext_lazy("As it stands in the register of companies."))
    address = _text(gettext_lazy("Postal address"), required=False)
    contact = _text(gettext_lazy("Contact"), gettext_lazy("An e-mail or web address that reaches the controller."))
    officer = _text(
        gettext_lazy("Data protection officer"), gettext_lazy("A function and its address, rather than a person."),
        required=False,
    )  # fmt: skip
    representative = _text(
        gettext_lazy("Representative in the Union"), gettext_lazy("Only for houses outside it (GDPR Art. 27)."),
        required=False,
    )  # fmt: skip
    authority = _text(gettext_lazy("Supervisory authority"), required=False)
    place = _text(
        gettext_lazy("Place of the calendar"),
        gettext_lazy("Whose public holidays count for your dates: DE-BY, FR, US-CA. Empty for the Union's."),
        required=False,
    )  # fmt: skip
    languages = forms.MultipleChoiceField(
        label=gettext_lazy("Languages of public pages"),
        choices=[(one.code, one.name) for one in LANGUAGES.values()],
        widget=CheckCards(cards=False),
    )
    logo = forms.FileField(
        label=gettext_lazy("Logo"),
        help_text=gettext_lazy("PNG, JPEG or WebP, up to 2 MiB; drawn anew and shown on the first public page."),
        required=False,
    )
    no_logo = forms.BooleanField(label=gettext_lazy("Without a logo from now on"), required=False)

    def drawn(self) -> bytes | None:
        """The file that was sent, nothing at all, or None to keep what is there."""
        if self.cleaned_data["no_logo"]:
            return b""
        sent = self.cleaned_data["logo"]
        return sent.read(service.LOGO_BYTES + 1) if sent else None


@require_safe
@staff(MANAGE)
def page(request: HttpRequest) -> HttpResponseBase:
    """What is set up and what is not; the version that holds and the one that waits."""
    return _page(request)


@require_http_methods(["GET", "HEAD", "POST"])
@staff(MANAGE, decide=True)
def propose(request: HttpRequest) -> HttpResponseBase:
    """First signature under another version."""
    house = select.current()
    initial = {field: getattr(house, field) for field in select.FIELDS}
    initial["languages"] = list(house.languages) or list(LANGUAGES)
    form = ProfileForm(request.POST or None, request.FILES or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = {field: form.cleaned_data[field] for field in select.FIELDS}
        try:
            service.profile_propose(values=values, logo=form.drawn(), actor=Actor.of(request.user))
        except Unfit as error:
            for problem in error.messages:
                form.add_error(_field_of(problem), problem)
        else:
            messages.success(request, _("Signed. Another administrator now signs as well."))
            return redirect("set_up")
    context = {"form": form, "crumbs": [{"label": _("Set-up"), "url": reverse("set_up")}, {"label": _("Organisation")}]}
    return render(request, "administration/organisation.html", context, status=422 if form.errors else 200)


def _field_of(problem: str) -> str | None:
    starts = {str(label): name for name, label in service.TEXTS.items()} | {
        "Place": "place", "Languages": "languages", "Logo": "logo"}  # fmt: skip
    return starts.get(problem.partition(":")[0])


@require_POST
@staff(MANAGE, decide=True)
def approve(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Second signature."""
    service.profile_approve(profile=_get(pk), actor=Actor.of(request.user))
    messages.success(request, _("Signed. Notices, letters and reports name it from now on."))
    return redirect("set_up")


@require_POST
@staff(MANAGE, decide=True)
def give_back(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Not so."""
    service.profile_return(profile=_get(pk), actor=Actor.of(request.user))
    messages.success(request, _("Sent back; the version that holds stays."))
    return redirect("set_up")


@require_safe
@limited("pages", methods=("GET", "HEAD"))
@cache_control(public=True, max_age=3600)
def logo(request: HttpRequest) -> HttpResponseBase:
    """The logo that two administrators signed: a PNG that this house drew."""
    row = select.newest()
    if row is None or not row.logo:
        raise Http404
    response = HttpResponse(bytes(row.logo), content_type="image/png")
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _get(pk: int) -> HouseProfile:
    try:
        return HouseProfile.objects.select_related("proposed_by").get(pk=pk)
    except HouseProfile.DoesNotExist as error:
        raise Http404 from error


def _page(request: HttpRequest) -> HttpResponse:
    actor = Actor.of(request.user)
    points = set_up.points(actor)
    open_ones = [one for one in points if not one.done and not one.optional]
    house, waiting = select.current(), select.waiting()
    context = {
        "conclusion": _conclusion(points, open_ones),
        "sentence": _("Each point is looked up as this page opens; none is ticked by hand."),
        "columns": [_("Point"), _("State"), _("What was found")],
        "rows": [_row(one) for one in points],
        "facts": [(LABELS[field], shown(getattr(house, field))) for field in select.FIELDS],
        "laws": law_words.table(house.place, timezone.localdate()),
        "version": house.version,
        "has_logo": house.has_logo,
        "waiting": _waiting(waiting, house, actor) if waiting else None,
    }
    return render(request, "administration/set_up.html", context)


def _conclusion(points: list[Point], open_ones: list[Point]) -> str:
    if not open_ones:
        return _("This house is set up")
    return _("%(done)d of %(all)d points are set up; next: %(title)s") % {
        "done": sum(one.done for one in points), "all": len(points), "title": open_ones[0].title}  # fmt: skip


def _row(point: Point) -> list[Any]:
    if point.done:
        state = {"state": "pass", "text": _("done")}
    elif point.optional:
        state = {"state": "paused", "text": _("can wait")}
    else:
        state = {"state": "waiting", "text": _("to do")}
    title = {"text": point.title, "url": reverse(point.page)} if point.page else point.title
    return [title, state, point.found]


def _waiting(row: HouseProfile, house: select.House, actor: Actor) -> dict[str, Any]:
    own = row.proposed_by == actor.user
    pairs = [(field, shown(getattr(house, field)), shown(getattr(row, field))) for field in select.FIELDS]
    changed = [[LABELS[field], before, after] for field, before, after in pairs if before != after]
    newest = select.newest()
    if bytes(row.logo) != bytes(newest.logo if newest else b""):
        changed.append([_("Logo"), "", _("another picture") if row.logo else _("none")])
    when = date_format(timezone.localtime(row.proposed_at), "j M Y, H:i")
    return {
        "columns": [_("Field"), _("Now"), _("Then")],
        "rows": changed,
        "first": {"name": str(row.proposed_by), "signed": True,
                  "note": _("First signature, %(when)s") % {"when": when}},
        "second": {"name": "", "signed": False, "state": _("waiting") if own else _("waiting for you"),
                   "note": _("Second signature: another administrator")},
        "approve_url": "" if own else reverse("organisation_approve", args=[row.pk]),
        "return_url": reverse("organisation_return", args=[row.pk]),
        "return_title": _("Take it back") if own else _("Send it back"),
    }  # fmt: skip
