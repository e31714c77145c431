"""What is held out of training, filter lists for serving systems, and the records that may be trained on."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance import dispatch
from governance.models import Dataset, FilterList, Quarantine
from governance.policies import Actor, Permission, may
from governance.selectors import catalogue as select_catalogue
from governance.selectors import duties as select
from governance.services import containment, fingerprints
from governance.web.duty_pages import Context, Nothing, case_cell, day, perform, sheet, when
from governance.web.guards import staff

P = Permission


class LiftForm(forms.Form):
    """A record that was held by mistake."""

    quarantine = forms.ModelChoiceField(label=gettext_lazy("Record"), queryset=Quarantine.objects.none())
    reason = forms.CharField(
        label=gettext_lazy("Why it is not the work"), max_length=400, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Stands in the ledger: name nobody."),
    )  # fmt: skip

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["quarantine"]
        field.queryset = select.returned(actor)
        field.label_from_instance = lambda q: f"{q.record.record_id} ({q.record.dataset.name}, {q.case.number})"


class AnswerForm(forms.Form):
    """A record that somebody else asked to let back: who answers sends which ask they were shown."""

    quarantine = forms.ChoiceField(
        label=gettext_lazy("Record"),
        error_messages={"invalid_choice": gettext_lazy(
            "This is not what was shown to you any more: it was asked anew, taken back or answered. Read it again."
        )},
    )  # fmt: skip

    def __init__(self, actor: Actor, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rows = {f"{q.pk}:{containment.lift_mark(q)}": q for q in self.asked(actor)}
        field: Any = self.fields["quarantine"]
        field.choices = [
            (name, f"{q.record.record_id} ({q.record.dataset.name}), {q.lift_asked_by}: {q.lift_why}")
            for name, q in self.rows.items()
        ]

    @staticmethod
    def asked(actor: Actor) -> list[Quarantine]:
        """What may be answered."""
        return list(select.lifts_asked(actor).exclude(lift_asked_by=actor.user)[: select.SHOWN])

    def chosen(self) -> dict[str, Any]:
        """For the services: the record, and which ask was shown."""
        sent = self.cleaned_data["quarantine"]
        return {"quarantine": self.rows[sent], "shown": sent.partition(":")[2]}


class EndForm(AnswerForm):
    """A record that is to stay held, though somebody asked to let it back."""

    @staticmethod
    def asked(actor: Actor) -> list[Quarantine]:
        """An approver refuses what anybody asked; whoever else asked takes their own back."""
        found = select.lifts_asked(actor)
        if not may(actor, P.LIFT_QUARANTINE):
            found = found.filter(lift_asked_by=actor.user)
        return list(found[: select.SHOWN])


@require_safe
@staff(P.SEE_DUTIES)
def duties(request: HttpRequest) -> HttpResponseBase:
    """Containment: what is held, for which case, and what came back."""
    return _page(request, None, 200)


def _page(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    actor, totals = Actor.of(request.user), select.totals()
    records = ngettext("%(n)s record is", "%(n)s records are", totals["records"]) % {"n": f"{totals['records']:,}"}
    context = {
        "conclusion": _("%(records)s held out of training") % {"records": records},
        "sentence": _("For %(cases)d cases. %(works)d works are known by fingerprint and looked for in new datasets.")
        % totals,
        "parts": [_returned(actor, form), _held(actor), _lists(actor)],
    }  # fmt: skip
    return sheet(request, "duties", context, status)


def _returned(actor: Actor, form: forms.Form | None) -> Context:
    rows = select.returned(actor)[: select.SHOWN]
    return {
        "id": "returned", "title": _("Came back with a new dataset"),
        "note": _("Works that were opted out earlier, found again by their fingerprints and held."),
        "columns": [_("Record"), _("Dataset"), _("Case"), _("Held since"), _("Let back")],
        "rows": [
            [{"text": q.record.record_id, "mono": True},
             {"text": q.record.dataset.name, "url": reverse("dataset", args=[q.record.dataset.public_id])},
             case_cell(q.case, actor), when(q.since), _asked(q)]
            for q in rows
        ],
        "empty": _("No opted-out work was found in a new dataset."),
        "next": _("Every dataset is searched for opted-out works when it is registered."),
        "forms": _lifts(actor, form) if rows else [],
    }  # fmt: skip


def _asked(row: Quarantine) -> Any:
    """Who asked to let it back, and why; nobody as a rule."""
    if row.lift_asked_at is None:
        return ""
    said = _("%(name)s, %(when)s") % {"name": row.lift_asked_by, "when": when(row.lift_asked_at)}
    return {"text": _("Asked; another person answers"), "note": f"{said}: {row.lift_why}"}


def _lifts(actor: Actor, form: forms.Form | None) -> list[Context]:
    """One person asks that a record be let back, another lets it; or an approver or the asker leaves it held."""
    found: list[Context] = []
    if may(actor, P.ASK_LIFT):
        found.append({
            "title": _("Ask to let a record back into training"), "action": reverse("containment_lift_ask"),
            "note": _("Only where the search was wrong: the text is not the work. An approver answers."),
            "form": form if isinstance(form, LiftForm) else LiftForm(actor), "submit": _("Ask"),
            "open": isinstance(form, LiftForm),
        })  # fmt: skip
    if may(actor, P.LIFT_QUARANTINE):
        found += _answer(form, AnswerForm, actor, {
            "title": _("Let a record back into training"), "action": reverse("containment_lift"),
            "note": _("Somebody else asked for it; the reason stands beside the record."), "submit": _("Let it back"),
        })  # fmt: skip
    if may(actor, P.ASK_LIFT) or may(actor, P.LIFT_QUARANTINE):
        found += _answer(form, EndForm, actor, {
            "title": _("Leave a record held"), "action": reverse("containment_lift_end"),
            "note": _("An approver refuses what was asked, or who asked takes it back."), "submit": _("Leave it held"),
        })  # fmt: skip
    return found


def _answer(form: forms.Form | None, kind: type[AnswerForm], actor: Actor, told: Context) -> list[Context]:
    """A form about what was asked; none where there is nothing to answer, and nothing was sent."""
    sent = type(form) is kind
    shown = form if isinstance(form, AnswerForm) and sent else kind(actor)
    return [{**told, "form": shown, "open": sent}] if sent or shown.rows else []


def _held(actor: Actor) -> Context:
    return {
        "id": "held", "title": _("Held, by case"),
        "note": _("From proof level P2 until the decision; after it, what was erased or left out stays held."),
        "columns": [_("Case"), _("Stands at"), {"label": _("Records"), "num": True}, _("Received")],
        "rows": [
            [case_cell(case, actor), case.get_status_display(),
             f"{case.held_count:,}", day(case.received_on)]  # type: ignore[attr-defined]
            for case in select.held_by_case(actor)
        ],
        "empty": _("No record is held."),
        "next": _("The first case whose proof reaches P2 puts its records here."),
    }  # fmt: skip


def _lists(actor: Actor) -> Context:
    can = may(actor, P.EXPORT_LISTS)
    make = {
        "plain": True, "form": Nothing(), "action": reverse("filter_list_make"), "submit": _("Make the next version"),
        "note": _("Every work that is contained or upheld at proof level P2, as keyed hashes."),
    }  # fmt: skip
    return {
        "id": "lists", "title": _("Filter lists"),
        "note": _("For serving systems: they stop an answer that holds a listed passage. The key goes apart."),
        "lines": [fingerprints.NOTE],
        "columns": [_("Version"), {"label": _("Works"), "num": True}, _("Made"), _("Digest"), _("Download")],
        "rows": [
            [str(one.version), f"{one.works:,}", {"text": when(one.made_at), "note": str(one.made_by or "")},
             {"digest": one.artifact},
             {"text": _("JSON"), "url": reverse("filter_list", args=[one.version])} if can else ""]
            for one in select.filter_lists(actor)[: select.SHOWN]
        ],
        "empty": _("No list was made yet."),
        "next": _("The first one holds every work that is contained or upheld by then."),
        "forms": [make] if can else [],
    }  # fmt: skip


@require_POST
@staff(P.ASK_LIFT, decide=True)
def lift_ask(request: HttpRequest) -> HttpResponseBase:
    """First signature: the search was wrong about a record."""
    actor = Actor.of(request.user)
    form = LiftForm(actor, request.POST)

    def do() -> str:
        data = form.cleaned_data
        containment.lift_ask(quarantine=data["quarantine"], actor=actor, reason=data["reason"])
        return _("Asked: an approver lets it back, or leaves it held.")

    return perform(request, form, do, _page, "duties")


@require_POST
@staff(P.LIFT_QUARANTINE, decide=True)
def lift(request: HttpRequest) -> HttpResponseBase:
    """A record that was held by mistake goes back into training."""
    actor = Actor.of(request.user)
    form = AnswerForm(actor, request.POST)

    def do() -> str:
        containment.lift_approve(actor=actor, **form.chosen())
        return _("The record may be trained on again.")

    return perform(request, form, do, _page, "duties")


@require_POST
@staff(P.ASK_LIFT, P.LIFT_QUARANTINE, decide=True)
def lift_end(request: HttpRequest) -> HttpResponseBase:
    """What was asked is refused, or taken back: the record stays held."""
    actor = Actor.of(request.user)
    form = EndForm(actor, request.POST)

    def do() -> str:
        containment.lift_end(actor=actor, **form.chosen())
        return _("The record stays held.")

    return perform(request, form, do, _page, "duties")


@require_POST
@staff(P.EXPORT_LISTS)
def filter_list_make(request: HttpRequest) -> HttpResponseBase:
    """The next version of the filter list."""

    def do() -> str:
        made = fingerprints.filter_list_make(actor=Actor.of(request.user))
        return _("Version %(n)d is made, with %(works)d works.") % {"n": made.version, "works": made.works}

    return perform(request, Nothing(request.POST), do, _page, "duties")


@require_safe
@staff(P.EXPORT_LISTS)
def filter_list(request: HttpRequest, version: int) -> HttpResponseBase:
    """A filter list as JSON, without its key."""
    found = FilterList.objects.filter(version=version).first()
    if found is None:
        raise Http404
    return attachment(dispatch.read_bytes(found.artifact), "application/json", f"filter-list-{version}.json")


def attachment(data: bytes | str, kind: str, name: str) -> HttpResponse:
    """A file to keep."""
    response = HttpResponse(data, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_POST
@staff(P.EXPORT_LISTS)
def dataset_records(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Ids of the records that may be trained on (with `held`, of those that may not), one a line."""
    actor = Actor.of(request.user)
    try:
        dataset = select_catalogue.dataset_get(actor, public_id)
    except Dataset.DoesNotExist as error:
        raise Http404 from error
    held = request.POST.get("held") == "1"
    text, digest = containment.records_export(dataset=dataset, actor=actor, held=held)
    name = f"{'held' if held else 'trainable'}-{digest.removeprefix('sha256:')[:12]}.txt"
    return attachment(text, "text/plain; charset=utf-8", name)


def dataset_parts(dataset: Dataset, actor: Actor) -> Context:
    """For the page of a dataset: the search for earlier works, and the export buttons."""
    if dataset.purpose == Dataset.Purpose.CONTROLS:
        return {}
    job = select.rescan_of(dataset, containment.RESCAN)
    searched = (
        _("Earlier opted-out works: %(state)s") % {"state": job.get_state_display().lower()}
        if job
        else _("No earlier work was known when it was registered.")
    )
    action = reverse("dataset_records", args=[dataset.public_id]) if may(actor, P.EXPORT_LISTS) else ""
    return {"searched": searched, "export_action": action}
