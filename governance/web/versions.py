"""Versions that leave service or come back: proposals, signatures, places that wait, and the history of places."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.models import Case, Deployment, ModelVersion, VersionOrder
from governance.policies import Actor, Permission, may
from governance.selectors import versions as select
from governance.services import order_signing, orders, places
from governance.web.case_tabs import PLACE_STATES
from governance.web.duty_pages import (
    Context,
    Nothing,
    case_cell,
    day,
    ending,
    perform,
    refusal,
    sheet,
    take_back,
    when,
)
from governance.web.guards import staff

P = Permission
HINT = gettext_lazy("Stands in the ledger: name nobody.")


def _reason(label: Any) -> forms.CharField:
    return forms.CharField(label=label, help_text=HINT, max_length=2000, widget=forms.Textarea(attrs={"rows": 3}))


class WithdrawForm(forms.Form):
    """Which version is to leave service, and why."""

    version = forms.ModelChoiceField(label=gettext_lazy("Version"), queryset=ModelVersion.objects.none())
    reason = _reason(gettext_lazy("Why it must leave service"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["version"].queryset = select.withdrawable()  # type: ignore[attr-defined]


class RollbackForm(forms.Form):
    """Whose release is to be undone, and why."""

    case = forms.ModelChoiceField(label=gettext_lazy("Release of case"), queryset=Case.objects.none())
    reason = _reason(gettext_lazy("Why the version before must come back"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["case"]
        field.queryset = select.undoable()
        field.label_from_instance = lambda case: f"{case.number}: {case.release.version}"


class PlaceForm(forms.Form):
    """What became of a place that waits."""

    place = forms.ModelChoiceField(label=gettext_lazy("Place"), queryset=Deployment.objects.none())
    state = forms.ChoiceField(
        label=gettext_lazy("What is known"),
        choices=[c for c in Deployment.State.choices if c[0] in ("replaced", "withdrawn", "unreachable")],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["place"]
        field.queryset = select.waiting_places()
        field.label_from_instance = lambda d: f"{d.place}, {d.version}: {d.get_state_display()}"


@require_safe
@staff(P.SEE_DUTIES)
def versions(request: HttpRequest) -> HttpResponseBase:
    """Orders that wait, what can be ordered, places that wait, and the history."""
    return _page(request, None, 200)


def _page(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    actor = Actor.of(request.user)
    found = list(select.orders(actor)[: select.SHOWN])
    waiting = [order for order in found if order.is_open]
    context = {
        "conclusion": ngettext("%(n)d order waits for signatures", "%(n)d orders wait for signatures", len(waiting))
        % {"n": len(waiting)}
        if waiting
        else _("No order waits"),
        "sentence": _("A version leaves service, or the one before comes back, by a proposal and two signatures."),
        "parts": [
            *[_order(order, actor, form) for order in waiting],
            _propose(actor, form),
            _places(actor, form),
            _answered([order for order in found if not order.is_open], actor),
            _history(actor),
        ],
    }  # fmt: skip
    return sheet(request, "versions", context, status)


def _signature(person: Any, moment: Any, waits_for: str) -> Context:
    if person:
        return {"signed": True, "name": str(person), "note": when(moment), "state": ""}
    return {"signed": False, "name": "", "state": _("waiting"), "note": waits_for}


def _order(order: VersionOrder, actor: Actor, form: forms.Form | None) -> Context:
    facts: list[Any] = [
        (_("Leaves service"), str(order.version)),
        (_("Why"), order.reason),
        (_("Proposed"), f"{order.proposed_by or _('the machine')}, {when(order.proposed_at)}"),
    ]
    if order.target:
        until = orders.rollback_until(order.target)
        facts.insert(1, (_("Comes back"), str(order.target)))
        facts.append((_("Possible until"), day(until) if until else _("no day is set")))
    if order.case:
        facts.append({"label": _("Case"), "value": order.case.number, "url": case_cell(order.case, actor)["url"]})
    return {
        "id": f"order-{order.pk}",
        "title": f"{order.get_kind_display()}: {order.version}",
        "note": _("Legal and a release manager, neither of them who proposed it."),
        "facts": facts,
        "signatures": [
            _signature(order.legal_by, order.legal_at, _("for legal")),
            _signature(order.release_by, order.release_at, _("release manager")),
        ],
        "forms": _answers(order, actor, form),
    }


def _answers(order: VersionOrder, actor: Actor, form: forms.Form | None) -> list[Context]:
    no = reverse("order_refuse", args=[order.pk])
    if order.proposed_by == actor.user:
        return [take_back(no, _("Take the order back"))]
    if not (may(actor, P.RELEASE_MODEL) or may(actor, P.RELEASE_LEGAL)):
        return []
    sign = {"plain": True, "form": Nothing(), "action": reverse("order_sign", args=[order.pk]), "submit": _("Sign")}
    return [sign, refusal(order.pk, form, no, _("Refuse"))]


def _propose(actor: Actor, form: forms.Form | None) -> Context:
    offered = []
    if may(actor, P.PROPOSE_ORDER):
        withdraw = form if isinstance(form, WithdrawForm) else WithdrawForm(auto_id="withdraw_%s")
        back = form if isinstance(form, RollbackForm) else RollbackForm(auto_id="rollback_%s")
        offered = [
            {"title": _("Propose to withdraw a version"), "form": withdraw, "action": reverse("version_withdraw"),
             "submit": _("Propose"), "open": withdraw.is_bound,
             "note": _("Its places stop, its weights get a day of deletion, cases that wait for it end.")},
            {"title": _("Ask to put back the version before"), "form": back, "action": reverse("version_rollback"),
             "submit": _("Ask"), "open": back.is_bound,
             "note": _("The cases whose release is undone are opened again and their claimants told. Refused where the "
                       "old weights are gone, and where personal data was erased.")},
        ]  # fmt: skip
    rows = []
    for case in select.undoable()[: select.SHOWN]:
        problems = orders.rollback_problems(case)
        before = case.release.version.parent
        until = orders.rollback_until(before) if before else None
        rows.append([
            case_cell(case, actor), str(case.release.version), str(before or ""),
            day(until) if until else _("no day is set"),
            {"state": "fail", "text": _("not possible"), "note": " ".join(problems)} if problems
            else {"state": "waiting", "text": _("possible")},
        ])  # fmt: skip
    return {
        "id": "back", "title": _("What could be put back"),
        "note": _("When the old weights are deleted, nobody can put them back: that day is stated here."),
        "columns": [_("Case"), _("In service"), _("Before it"), _("Old weights kept until"), _("Rollback")],
        "rows": rows, "empty": _("No release could be undone."),
        "next": _("A release stands here while its old weights are kept."), "forms": offered,
    }  # fmt: skip


def _places(actor: Actor, form: forms.Form | None) -> Context:
    rows = list(select.waiting_places()[: select.SHOWN])
    record = {
        "title": _("Record what became of a place"), "action": reverse("version_place"), "submit": _("Record"),
        "form": form if isinstance(form, PlaceForm) else PlaceForm(auto_id="place_%s"),
        "open": isinstance(form, PlaceForm),
    }  # fmt: skip
    return {
        "id": "places", "title": _("Places that wait"),
        "note": _("Nothing counts as done while a place still answers."),
        "columns": [_("Place"), _("Version"), _("State"), _("Since")],
        "rows": [
            [d.place, str(d.version), {"state": PLACE_STATES[d.state], "text": d.get_state_display()},
             when(d.changed_at)]
            for d in rows
        ],
        "empty": _("No place waits."),
        "next": _("One waits from a release or a signed order until its new state is recorded."),
        "forms": [record] if rows and may(actor, P.UPDATE_DEPLOYMENT) else [],
    }  # fmt: skip


def _answered(rows: list[VersionOrder], actor: Actor) -> Context:
    return {
        "id": "answered", "title": _("Answered"), "note": _("Signed orders and refused ones; none is ever changed."),
        "columns": [_("Order"), _("Case"), _("Signed"), _("Answer")],
        "rows": [
            [{"text": f"{o.get_kind_display()}: {o.version}", "note": o.reason},
             case_cell(o.case, actor) if o.case else "",
             ", ".join(str(p) for p in (o.legal_by, o.release_by) if p),
             {"text": _("done %(when)s") % {"when": when(o.done_at)}, "note": str(o.result or "")} if o.done_at
             else {"text": (_("taken back by %(who)s") if o.refused_by == o.proposed_by else _("refused by %(who)s"))
                   % {"who": o.refused_by}, "note": o.refused_reason}]
            for o in rows
        ],
        "empty": _("No order was answered yet."),
        "next": _("Orders stand here when they were signed or refused."),
    }  # fmt: skip


def _history(actor: Actor) -> Context:
    return {
        "id": "history", "title": _("History of places"), "note": _("The newest hundred lines; append-only."),
        "columns": [_("When"), _("Place"), _("Version"), _("State"), _("By")],
        "rows": [
            [when(one.at), one.deployment.place, str(one.deployment.version),
             {"state": PLACE_STATES[one.state], "text": one.get_state_display(), "note": str(one.replaced_by or "")},
             str(one.by or _("the machine"))]
            for one in select.place_history(actor)
        ],
        "empty": _("No place is on record."),
        "next": _("Places are registered with their model."),
    }  # fmt: skip


@require_POST
@staff(P.PROPOSE_ORDER, decide=True)
def withdraw(request: HttpRequest) -> HttpResponseBase:
    """Propose to take a version out of service."""
    form = WithdrawForm(request.POST, auto_id="withdraw_%s")

    def do() -> str:
        orders.withdrawal_propose(**form.cleaned_data, actor=Actor.of(request.user))
        return _("Proposed. Legal and a release manager now decide.")

    return perform(request, form, do, _page, "versions")


@require_POST
@staff(P.PROPOSE_ORDER, decide=True)
def rollback(request: HttpRequest) -> HttpResponseBase:
    """Ask to put back the version before a release."""
    form = RollbackForm(request.POST, auto_id="rollback_%s")

    def do() -> str:
        orders.rollback_propose(**form.cleaned_data, actor=Actor.of(request.user))
        return _("Asked. Legal and a release manager now decide.")

    return perform(request, form, do, _page, "versions")


@require_POST
@staff(P.UPDATE_DEPLOYMENT)
def place(request: HttpRequest) -> HttpResponseBase:
    """Record what became of a place."""
    form = PlaceForm(request.POST, auto_id="place_%s")

    def do() -> str:
        data = form.cleaned_data
        state = Deployment.State(data["state"])
        places.place_record(place=data["place"], state=state, actor=Actor.of(request.user))
        return _("%(place)s is recorded as %(state)s.") % {"place": data["place"].place, "state": state.label.lower()}

    return perform(request, form, do, _page, "versions")


def _fetch(request: HttpRequest, pk: int) -> VersionOrder:
    try:
        return select.order_get(Actor.of(request.user), pk)
    except VersionOrder.DoesNotExist as error:
        raise Http404 from error


@require_POST
@staff(P.RELEASE_MODEL, P.RELEASE_LEGAL, decide=True)
def sign(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Sign an order; the second signature carries it out."""
    order = _fetch(request, pk)

    def do() -> str:
        signed = order_signing.order_sign(order=order, actor=Actor.of(request.user))
        return _("Both signatures are there; it is done.") if signed.done_at else _("Signed. One signature is missing.")

    return perform(request, Nothing(request.POST), do, _page, "versions")


@require_POST
@staff(P.RELEASE_MODEL, P.RELEASE_LEGAL, P.PROPOSE_ORDER, decide=True)
def refuse(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Refuse an order with a reason, or take back one's own."""
    order = _fetch(request, pk)
    form, reason = ending(request, pk, order.proposed_by_id)

    def do() -> str:
        order_signing.order_refuse(order=order, actor=Actor.of(request.user), reason=reason())
        return _("The order is closed.")

    return perform(request, form, do, _page, "versions")
