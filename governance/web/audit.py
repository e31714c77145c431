"""The auditor's own room: samples of cases that anybody can draw again, exports, and the way to a report's proof."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.clocks import LAWS
from governance.errors import GovernanceError
from governance.models import AuditSample, Case, Kind
from governance.policies import Actor, Permission
from governance.services import exports
from governance.services import samples as service
from governance.validators import number_in, one_line
from governance.web import audit_house, report_proof, trust_pages, verify
from governance.web.containment import attachment
from governance.web.duty_pages import Context, perform, when
from governance.web.guards import staff
from governance.web.sheets import csv_lines, csv_response

P = Permission
YEAR = timedelta(days=365)
DATES = {"received_on": gettext_lazy("received"), "closed_at": gettext_lazy("closed")}
STATES = (("", gettext_lazy("open and closed")), ("open", gettext_lazy("open")), ("closed", gettext_lazy("closed")))
EXPORTS = {
    "cases": gettext_lazy("Cases, by the day of receipt"),
    "decisions": gettext_lazy("Decisions for each record, by the day of the proposal"),
    "ledger": gettext_lazy("Entries of the ledger with leaf, opening and salt"),
    "policies": gettext_lazy("Verification policies and their versions, by the day of the proposal"),
}


def _date(label: Any, initial: Any) -> forms.DateField:
    return forms.DateField(
        label=label, initial=initial, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


class SampleForm(forms.Form):
    """What is to be drawn, stated before anybody knows the draw."""

    n = forms.IntegerField(
        label=gettext_lazy("How many cases"), help_text=gettext_lazy("Of each group, where there are groups."),
        min_value=1, max_value=service.MOST, initial=25,
    )  # fmt: skip
    date = forms.ChoiceField(label=gettext_lazy("Cases that were"), choices=list(DATES.items()))
    first = _date(gettext_lazy("From"), lambda: timezone.localdate() - YEAR)
    last = _date(gettext_lazy("To"), timezone.localdate)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"), required=False, choices=[("", gettext_lazy("all")), *Kind.choices]
    )
    law = forms.ChoiceField(
        label=gettext_lazy("Law"), required=False,
        choices=[("", gettext_lazy("all")), *((law.code, law.title.split(",")[0]) for law in LAWS.values())],
    )  # fmt: skip
    state = forms.ChoiceField(label=gettext_lazy("State"), required=False, choices=STATES)
    strata = forms.ChoiceField(label=gettext_lazy("Groups"), required=False, choices=AuditSample.Strata.choices)
    text = forms.CharField(
        label=gettext_lazy("A text of your own"), max_length=200, min_length=service.SHORTEST_TEXT,
        validators=[one_line],
        help_text=gettext_lazy(
            "Anything that nobody guesses: it decides together with the ledger. To keep it from this house until the "
            "draw, give its SHA-256 (64 hexadecimal digits) instead."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip

    def narrowed(self) -> dict[str, str]:
        """Which cases, as the ledger keeps it."""
        data = self.cleaned_data
        days = {"from": data["first"].isoformat(), "to": data["last"].isoformat()}
        chosen = {name: data[name] for name in ("kind", "law", "state") if data[name]}
        return {"date": data["date"], **days, **chosen}


class DrawForm(forms.Form):
    """The text whose digest was stated."""

    text = forms.CharField(label=gettext_lazy("Your text, to the last character"), max_length=200,
                           widget=forms.TextInput(attrs={"autocomplete": "off"}))  # fmt: skip


class ExportForm(forms.Form):
    """What is taken along."""

    what = forms.ChoiceField(label=gettext_lazy("What"), choices=list(EXPORTS.items()))
    first = _date(gettext_lazy("From"), lambda: timezone.localdate() - timedelta(days=90))
    last = _date(gettext_lazy("To"), timezone.localdate)
    form = forms.ChoiceField(label=gettext_lazy("As"), choices=[("csv", "CSV"), ("json", "JSON")])


@require_safe
@staff(P.AUDIT)
def audit(request: HttpRequest) -> HttpResponseBase:
    """Samples, exports, proofs."""
    return _page(request, None, 200)


def _page(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    sample = form if isinstance(form, SampleForm) else SampleForm()
    export = form if isinstance(form, ExportForm) else ExportForm(auto_id="export_%s")
    found = service.samples_page(number_in(request.GET.get("before", ""), 9))
    drawn, told = service.drawn_count(), verify.told()
    context = {
        "conclusion": ngettext("%(n)d sample of cases is drawn", "%(n)d samples of cases are drawn", drawn)
        % {"n": drawn} if drawn else _("No sample of cases is drawn yet"),
        "sentence": _("What you state, draw and take stands in the ledger, without a word about any person."),
        "parts": [
            {"id": "samples", "title": _("Samples"),
             "note": _("The ledger up to your statement decides which cases: you do not choose them, nor does this "
                       "house while it does not know your text."),
             "columns": [_("Sample"), _("Cases"), _("Of"), _("Stated"), _("Drawn"), _("By")],
             "rows": [_row(one) for one in found.rows],
             "next_page_url": f"?before={found.last.number}" if found.last else "",
             "empty": _("Nothing was stated yet."),
             "next": _("State the first one below; the ledger up to your statement then decides."),
             "forms": [{"title": _("State a new sample"), "form": sample, "action": reverse("sample_state"),
                        "submit": _("State it"), "open": form is sample or not (drawn or found.rows),
                        "note": _("Fixed by this and entered in the ledger: the list of cases, how many, and the "
                                  "digest of your text.")}]},
            {"id": "exports", "title": _("Exports"),
             "note": _("No name, address or text of a claimant, no free words of officers. Accounts stand as numbers."),
             "forms": [{"title": _("Take an export"), "form": export, "action": reverse("export_take"),
                        "submit": _("Download"), "open": form is export}]},
            {"id": "proofs", "title": _("One report, proven"),
             "note": _("From the case to the seal, the time, the ledger and the command that checks it offline."),
             "links": [{"label": _("Choose a report"), "url": reverse("reports")},
                       {"label": _("Verify a file that you were given: a report, a bundle, a sample"),
                        "url": reverse("verify")},
                       {"label": _("The ledger, entry by entry"), "url": reverse("ledger")},
                       {"label": _("Every export that was taken"), "url": f"{reverse('ledger')}?kind=export"},
                       {"label": _("Every sample that was stated or drawn"), "url": f"{reverse('ledger')}?kind=sample"},
                       {"label": _("Policies of verification and their versions"), "url": reverse("policies")}]},
            {"id": "trust", "title": _("What is believed"),
             "note": _("What everybody is told. Compare it with what you got by another way than from this house."),
             "facts": told, "empty": "" if told else _("No seal is set up yet, so there is nothing to compare."),
             "next": _("`manage.py bootstrap` makes one (docs/keys.md).")},
        ],
    }  # fmt: skip
    return render(request, "duties/sheet.html", {**audit_house.tabs("audit"), **context}, status=status)


def _row(one: AuditSample) -> list[Any]:
    return [
        {"text": _("Sample %(n)d") % {"n": one.number}, "url": reverse("sample", args=[one.public_id])},
        _how_many(one), f"{one.size:,}", when(one.stated_at),
        when(one.drawn_at) if one.drawn_at else {"state": "waiting", "text": _("not drawn")}, str(one.by),
    ]  # fmt: skip


def _how_many(one: AuditSample) -> str:
    if one.drawn_at:
        return f"{len(one.drawn):,}"
    return _("%(n)d of each %(what)s") % {"n": one.n, "what": one.get_strata_display()} if one.strata else str(one.n)


@require_POST
@staff(P.AUDIT, decide=True)
def state(request: HttpRequest) -> HttpResponseBase:
    """Fix what is to be drawn."""
    form = SampleForm(request.POST)

    def do() -> str:
        made = service.sample_state(
            n=form.cleaned_data["n"], narrowed=form.narrowed(), strata=form.cleaned_data["strata"],
            text=form.cleaned_data["text"], actor=Actor.of(request.user),
        )  # fmt: skip
        return _("Sample %(n)d is stated over %(k)s cases. It can be drawn when a checkpoint holds it.") % {
            "n": made.number, "k": f"{made.size:,}"}  # fmt: skip

    return perform(request, form, do, _page, "audit")


def _fetch(public_id: uuid.UUID) -> AuditSample:
    found = AuditSample.objects.select_related("by").filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


@require_safe
@staff(P.AUDIT)
def sample(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """One sample: what was stated, what decides, what was drawn, how to draw it again."""
    return _sample(request, _fetch(public_id))


def _sample(request: HttpRequest, one: AuditSample, form: forms.Form | None = None, status: int = 200) -> HttpResponse:
    context = {
        "crumbs": [{"label": _("Audit"), "url": reverse("audit")}, {"label": _("Sample %(n)d") % {"n": one.number}}],
        "conclusion": ngettext("%(k)s of %(all)s case is drawn", "%(k)s of %(all)s cases are drawn", one.size)
        % {"k": f"{len(one.drawn):,}", "all": f"{one.size:,}"}
        if one.drawn_at else _("Stated over %(all)s cases, not drawn yet") % {"all": f"{one.size:,}"},
        "sentence": "" if one.drawn_at else service.waits_for(one) or _("It can be drawn."),
        "parts": [_stated(one), _drawing(one, form), *(_proofs(one, request) if one.drawn_at else [])],
    }  # fmt: skip
    return render(request, "duties/sheet.html", context, status=status)


def _stated(one: AuditSample) -> Context:
    asked = one.narrowed
    which = [
        f"{DATES[asked['date']]} {day_range(asked)}",
        *(asked[name] for name in ("kind", "law", "state") if name in asked),
    ]
    many = _how_many(one) if not one.drawn_at else _("%(n)d of each group") % {"n": one.n} if one.strata else str(one.n)
    return {
        "id": "stated", "title": _("Stated"),
        "facts": [
            (_("Which"), ", ".join(str(part) for part in which)),
            (_("How many"), many),
            (_("Groups"), one.get_strata_display()),
            (_("By"), f"{one.by}, {when(one.stated_at)}"),
            {"label": _("Entry of the ledger"), "value": str(one.entry),
             "url": reverse("ledger_proof", args=[one.entry])},
            {"label": _("Root of the ledger up to it"), "value": service.root_of(one).hex(), "mono": True},
            {"label": _("List of cases"), "value": one.population, "digest": True},
            {"label": _("SHA-256 of the text"), "value": one.commitment, "digest": True},
        ],
    }  # fmt: skip


def day_range(asked: dict[str, str]) -> str:
    """`2026-01-01 to 2026-06-30`."""
    return _("%(first)s to %(last)s") % {"first": asked["from"], "last": asked["to"]}


def _drawing(one: AuditSample, form: forms.Form | None) -> Context:
    part: Context = {"id": "drawn", "title": _("Drawn")}
    if one.drawn_at:
        named = Case.objects.filter(number__in=[number for number, _stratum in one.drawn])
        cases = {case.number: case for case in named.only("number", "public_id", "status")}
        return {
            **part,
            "note": _("In the order of the draw."),
            "columns": [_("Case"), _("Group"), _("Stage now")],
            "rows": [_drawn_row(number, stratum, cases.get(number)) for number, stratum in one.drawn],
            "links": [{"label": _("As CSV"), "url": reverse("sample_csv", args=[one.public_id])}],
        }
    if service.waits_for(one):
        return {**part, "empty": _("Load this page again in a minute.")}
    asked = form or (forms.Form() if one.text else DrawForm())
    note = (
        _("It is drawn once.") if one.text else _("It is drawn once. Before you tell your text, note the root above.")
    )
    return {**part, "forms": [{"plain": True, "form": asked, "action": reverse("sample_draw", args=[one.public_id]),
                               "submit": _("Draw"), "note": note}]}  # fmt: skip


def _drawn_row(number: str, stratum: str, case: Case | None) -> list[Any]:
    url = reverse("case", args=[case.public_id]) if case else ""
    return [{"text": number, "mono": True, "url": url}, stratum, case.get_status_display() if case else ""]


def _proofs(one: AuditSample, request: HttpRequest) -> list[Context]:
    """How anybody draws it again; and, asked for, what this house finds of the file."""
    checked = report_proof.checked_here(lambda: service.check_file(one), request.GET.get("check") == "now")
    return [_again(one), {**checked, "note": _("This house judges its own file: no proof to anybody else.")}]


def _again(one: AuditSample) -> Context:
    file = f"sample-{one.number}.json"
    return {
        "id": "again", "title": _("Draw it again"),
        "note": _("The file holds the list, the statement, the checkpoint with its witnesses, and your text."),
        "facts": [
            {"label": _("Seed"), "value": one.seed, "mono": True},
            (_("Checkpoint"), _("of %(n)s entries") % {"n": f"{one.checkpoint:,}"}),
            (_("Your text"), one.text),
            {"label": _("File"), "value": file, "url": reverse("sample_json", args=[one.public_id])},
            {"label": _("Without us"), "value": f"python3 lethe-verify.pyz {file} --trust lethe-trust.json",
             "command": True},
        ],
        "links": [
            {"label": _("Have the file checked as anybody can: upload it, or type the number and the seed"),
             "url": reverse("verify")},
            {"label": _("The trust file, as everybody gets it"), "url": reverse("trust")},
            *([{"label": _("The program that checks, one file for Python 3.11"), "url": reverse("verifier")}]
              if trust_pages.verifier_told() else []),
        ],
    }  # fmt: skip


@require_POST
@staff(P.AUDIT, decide=True)
def draw(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """Draw, once."""
    found = _fetch(public_id)
    form = forms.Form(request.POST) if found.text else DrawForm(request.POST)
    if form.is_valid():
        try:
            text = form.cleaned_data.get("text", "")
            done = service.sample_draw(sample=found, text=text, actor=Actor.of(request.user))
        except GovernanceError as error:
            for problem in error.messages:
                messages.error(request, problem)
            return _sample(request, _fetch(public_id), form if not found.text else None, error.status)
        messages.success(request, _("Drawn: %(n)d cases.") % {"n": len(done.drawn)})
        return redirect("sample", public_id=public_id)
    return _sample(request, found, form, 422)


@require_safe
@staff(P.AUDIT)
def sample_csv(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """The drawn cases."""
    found = _fetch(public_id)
    rows = [[place, number, stratum] for place, (number, stratum) in enumerate(found.drawn, 1)]
    return csv_response(f"sample-{found.number}", [["place", "case", "group"], *rows])


@require_safe
@staff(P.AUDIT)
def sample_json(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """What a stranger needs to draw again."""
    found = _fetch(public_id)
    return attachment(service.check_file(found), "application/json", f"sample-{found.number}.json")


@require_POST
@staff(P.AUDIT, decide=True)
def export_take(request: HttpRequest) -> HttpResponseBase:
    """An export, row by row."""
    form = ExportForm(request.POST, auto_id="export_%s")
    if not form.is_valid():
        return _page(request, form, 422)
    data = form.cleaned_data
    try:
        rows = exports.export_take(**data, actor=Actor.of(request.user))
    except GovernanceError as error:
        for problem in error.messages:
            form.add_error(None, problem)
        return _page(request, form, error.status)
    name = f"{data['what']}-{data['first']}-{data['last']}.{data['form']}"
    kind, lines = ("text/csv", csv_lines(rows)) if data["form"] == "csv" else ("application/json", _json_lines(rows))
    response = StreamingHttpResponse(lines, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _json_lines(rows: Iterator[exports.Row]) -> Iterator[str]:
    """One list of objects, written as it is read."""
    head = next(rows)
    before = "["
    for row in rows:
        yield before + json.dumps(dict(zip(head, row, strict=True)), ensure_ascii=False, default=str)
        before = ",\n"
    yield "]\n" if before != "[" else "[]\n"
