"""What addresses of the world reserve: a list, a reading with its statements and bytes, and when it is read again."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance import dispatch
from governance.models import ReservationCheck, ReservedAddress
from governance.policies import Actor, Permission, may
from governance.selectors import reservations as select
from governance.services import reservations as service
from governance.validators import ADDRESS_LENGTH
from governance.web.containment import attachment
from governance.web.duty_pages import Context, perform, sheet, when
from governance.web.guards import staff

P = Permission
SHOWN = 50
_STATES = {"reserved": "refused", "allowed": "pass", "unknown": "inconclusive"}
_USES = {
    "train": gettext_lazy("Training"),
    "input": gettext_lazy("Input of an AI"),
    "search": gettext_lazy("Search"),
    "mine": gettext_lazy("Text and data mining"),
}


class WatchForm(forms.Form):
    """When it is read again, and whether others are told."""

    every_days = forms.IntegerField(
        label=gettext_lazy("Read again every so many days"), min_value=0, max_value=366, initial=service.EVERY_DAYS,
        help_text=gettext_lazy("0: not again."),
    )  # fmt: skip
    published = forms.BooleanField(
        label=gettext_lazy("Tell others in the signed feed"), required=False,
        help_text=gettext_lazy("Only what the address says publicly. Leave it out where the address names a claimant."),
    )  # fmt: skip


class CheckForm(WatchForm):
    """An address to be read now."""

    url = forms.CharField(label=gettext_lazy("Address"), max_length=ADDRESS_LENGTH)
    field_order = ("url", "every_days", "published")


def _state(stance: str) -> dict[str, str]:
    return {"state": _STATES[stance], "text": str(ReservationCheck.Stance(stance).label)}


@require_safe
@staff(P.SEE_DUTIES)
def reservations(request: HttpRequest) -> HttpResponseBase:
    """Every address that was read."""
    return _page(request, None, 200)


def _page(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    actor = Actor.of(request.user)
    page = Paginator(select.addresses(actor), SHOWN).get_page(request.GET.get("page"))
    check = {
        "title": _("Read an address"), "form": form if isinstance(form, CheckForm) else CheckForm(),
        "open": isinstance(form, CheckForm),
        "action": reverse("reservation_check"), "submit": _("Read it now"),
        "note": _("The address and the files of its origin that state reservations are fetched and kept as bytes."),
    }  # fmt: skip
    total = page.paginator.count
    context = {
        "conclusion": ngettext("%(n)d address is known", "%(n)d addresses are known", total) % {"n": total},
        "sentence": _("What is not stated is unknown, never allowed. The strictest statement counts."),
        "parts": [
            {"id": "addresses", "title": _("Addresses"),
             "columns": [_("Address"), _("Training"), _("So since"), _("Last read"), _("Read again")],
             "rows": [_row(row) for row in page.object_list],
             "empty": _("No address was read yet."),
             "next": _("The first one stands here when somebody has had it read."),
             "next_page_url": f"?page={page.next_page_number()}" if page.has_next() else "",
             "forms": [check] if may(actor, P.CHECK_RESERVATION) else []},
        ],
    }  # fmt: skip
    return sheet(request, "reservations", context, status)


def _row(row: Any) -> list[Any]:
    url = reverse("reservation", args=[row.public_id])
    known = [_state(row.stance), when(row.since), when(row.read_at)] if row.stance else ["", "", ""]
    return [{"text": row.url, "url": url}, *known, when(row.next_at) if row.next_at else _("not again")]


def _fetch(actor: Actor, public_id: uuid.UUID) -> ReservedAddress:
    found = select.addresses(actor).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


@require_safe
@staff(P.SEE_DUTIES)
def reservation(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """One address: its last reading, and how it was before."""
    return _one(request, _fetch(Actor.of(request.user), public_id), None, 200)


def _one(request: HttpRequest, address: ReservedAddress, form: forms.Form | None, status: int) -> HttpResponse:
    actor = Actor.of(request.user)
    checks = list(address.checks.select_related("by")[:SHOWN])
    if not checks:
        raise Http404
    last = checks[0]
    told = {"every_days": address.every_days, "published": address.published}
    watch = {
        "title": _("When it is read again"), "form": form or WatchForm(initial=told), "open": form is not None,
        "action": reverse("reservation_watch", args=[address.public_id]), "submit": _("Keep"),
    }  # fmt: skip
    again = {
        "plain": True, "submit": _("Read it now"), "action": reverse("reservation_again", args=[address.public_id]),
    }  # fmt: skip
    context = {
        "crumbs": [{"label": _("Reservations"), "url": reverse("reservations")}, {"label": address.url}],
        "conclusion": _("Training: %(stance)s") % {"stance": last.get_stance_display().lower()},
        "sentence": _("%(url)s, so since %(when)s at the latest") % {"url": address.url, "when": when(last.since)},
        "parts": [
            {"id": "uses", "title": _("By use"), "columns": [_("Use"), _("Stated")],
             "rows": [[str(_USES[use]), _state(stance)] for use, stance in last.uses.items()],
             "forms": [again, watch] if may(actor, P.CHECK_RESERVATION) else []},
            _statements(last), _sources(address, last), _history(checks),
        ],
    }  # fmt: skip
    return sheet(request, "reservations", context, status)


def _statements(check: ReservationCheck) -> Context:
    return {
        "id": "statements", "title": _("What is stated"),
        "columns": [_("Standard"), _("Use"), _("Stated"), _("In its words")],
        "rows": [
            [one["standard"], str(_USES[one["use"]]), _state(one["stance"]),
             {"text": one["quote"], "mono": True, "note": one["note"] or one["where"]}]
            for one in check.findings
        ],
        "empty": _("No standard states anything here."),
        "next": _("What was fetched stands below; “Read it now” asks the address again."),
    }  # fmt: skip


def _sources(address: ReservedAddress, check: ReservationCheck) -> Context:
    def row(source: dict[str, Any]) -> list[Any]:
        if "digest" not in source:
            return [{"text": source["url"], "note": source["why"]}, "", "", ""]
        url = reverse("reservation_bytes", args=[address.public_id, source["digest"].removeprefix("sha256:")])
        return [source["url"], str(source["status"]), {"digest": source["digest"]}, {"text": _("Bytes"), "url": url}]

    return {
        "id": "sources", "title": _("What was fetched"), "note": when(check.at),
        "columns": [_("Address"), _("Answer"), _("Digest"), _("Archived")],
        "rows": [row(source) for source in check.sources],
    }  # fmt: skip


def _history(checks: list[ReservationCheck]) -> Context:
    return {
        "id": "history", "title": _("Readings"), "columns": [_("Read"), _("Training"), _("By")],
        "rows": [[when(one.at), _state(one.stance), str(one.by or _("the machine"))] for one in checks],
    }  # fmt: skip


@require_POST
@staff(P.CHECK_RESERVATION)
def reservation_check(request: HttpRequest) -> HttpResponseBase:
    """Read an address now."""
    form = CheckForm(request.POST)

    def do() -> str:
        made = service.reservation_check(**form.cleaned_data, actor=Actor.of(request.user))
        return _("Read. Training: %(stance)s.") % {"stance": made.get_stance_display().lower()}

    return perform(request, form, do, _page, "reservations")


@require_POST
@staff(P.CHECK_RESERVATION)
def reservation_again(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Read a known address once more."""
    address = _fetch(Actor.of(request.user), public_id)

    def do() -> str:
        made = service.reservation_check(url=address.url, actor=Actor.of(request.user))
        return _("Read. Training: %(stance)s.") % {"stance": made.get_stance_display().lower()}

    return perform(request, forms.Form(request.POST), do, _page, address_page(address))


def address_page(address: ReservedAddress) -> str:
    """The page of an address."""
    return reverse("reservation", args=[address.public_id])


@require_POST
@staff(P.CHECK_RESERVATION)
def reservation_watch(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """When it is read again."""
    address = _fetch(Actor.of(request.user), public_id)
    form = WatchForm(request.POST)

    def do() -> str:
        service.watch_change(address=address, **form.cleaned_data, actor=Actor.of(request.user))
        return _("Kept.")

    return perform(request, form, do, lambda r, f, status: _one(r, address, f, status), address_page(address))


@require_safe
@staff(P.SEE_DUTIES)
def reservation_bytes(request: HttpRequest, public_id: uuid.UUID, digest: str) -> HttpResponseBase:
    """What was fetched, as it came: a file to keep, never shown here."""
    address = _fetch(Actor.of(request.user), public_id)
    ref = f"sha256:{digest}"
    if not any(ref == source.get("digest") for check in address.checks.all() for source in check.sources):
        raise Http404
    return attachment(dispatch.read_bytes(ref), "application/octet-stream", f"{digest[:12]}.bin")
