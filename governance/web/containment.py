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
    lift = {
        "title": _("Let a record back into training"), "action": reverse("containment_lift"),
        "note": _("Only where the search was wrong: the text is not the work."),
        "form": form if isinstance(form, LiftForm) else LiftForm(actor), "submit": _("Let it back"),
        "open": isinstance(form, LiftForm),
    }  # fmt: skip
    return {
        "id": "returned", "title": _("Came back with a new dataset"),
        "note": _("Works that were opted out earlier, found again by their fingerprints and held."),
        "columns": [_("Record"), _("Dataset"), _("Case"), _("Held since")],
        "rows": [
            [{"text": q.record.record_id, "mono": True},
             {"text": q.record.dataset.name, "url": reverse("dataset", args=[q.record.dataset.public_id])},
             case_cell(q.case, actor), when(q.since)]
            for q in rows
        ],
        "empty": _("No opted-out work has come back."),
        "forms": [lift] if rows and may(actor, P.LIFT_QUARANTINE) else [],
    }  # fmt: skip


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
        "forms": [make] if can else [],
    }  # fmt: skip


@require_POST
@staff(P.LIFT_QUARANTINE, decide=True)
def lift(request: HttpRequest) -> HttpResponseBase:
    """A record that was held by mistake goes back into training."""
    actor = Actor.of(request.user)
    form = LiftForm(actor, request.POST)

    def do() -> str:
        data = form.cleaned_data
        containment.quarantine_lift(quarantine=data["quarantine"], actor=actor, reason=data["reason"])
        return _("The record may be trained on again.")

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
