"""Patches of releases: asked for, fetched, and the day on which each goes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.models import Case, Disposal, Patch
from governance.policies import Actor, Permission, may
from governance.services import patches as service
from governance.web.containment import attachment
from governance.web.duty_pages import Context, Nothing, case_cell, day, perform, sheet, when
from governance.web.guards import staff

P = Permission
SHOWN = 100


class PatchForm(forms.Form):
    """Of which release, and for whom."""

    case = forms.ModelChoiceField(label=gettext_lazy("Release of case"), queryset=Case.objects.none())
    public = forms.BooleanField(
        label=gettext_lazy("Mark it as fit for anyone"), required=False,
        help_text=gettext_lazy("Never for personal data: base and patch together tell what was erased."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Case.objects.filter(release__released_at__isnull=False, release__legal_at__isnull=False)
        field: Any = self.fields["case"]
        field.queryset = rows.select_related("claimant", "release__version__model").order_by("-id")
        field.label_from_instance = lambda case: f"{case.number}: {case.release.version}"


@require_safe
@staff(P.SEE_DUTIES)
def patches(request: HttpRequest) -> HttpResponseBase:
    """Every patch of a release."""
    return _page(request, None, 200)


def _page(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    actor = Actor.of(request.user)
    found = list(
        Patch.objects.select_related("release__case", "release__version__model", "job").order_by("-id")[:SHOWN]
    )
    ask = {
        "title": _("Make the patch of a release"), "action": reverse("patch_make"), "submit": _("Make it"),
        "form": form if isinstance(form, PatchForm) else PatchForm(auto_id="patch_%s"),
        "open": isinstance(form, PatchForm),
    }  # fmt: skip
    there = [one for one in found if service.patch_state(one) == "there"]
    fetch = [
        {"plain": True, "form": Nothing(), "action": reverse("patch_zip", args=[one.pk]),
         "submit": _("Fetch the patch of case %(number)s") % {"number": one.release.case.number}}
        for one in there
    ]  # fmt: skip
    context = {
        "conclusion": ngettext("%(n)d patch is kept", "%(n)d patches are kept", len(there)) % {"n": len(there)},
        "sentence": _("What a release changed, as a small file for those who hold the old weights."),
        "parts": [
            {
                "id": "patches", "title": _("Patches of releases"),
                "note": _("A patch beside its result is the old weights, so it goes with them; after that day nobody "
                          "can put them back."),
                "columns": [_("Case"), _("Version"), _("For"), _("State"), _("Digest"), _("Goes")],
                "rows": [_row(one, actor) for one in found],
                "empty": _("No patch was made."),
                "forms": [ask, *fetch] if may(actor, P.MAKE_PATCH) else [],
            }
        ],
    }  # fmt: skip
    return sheet(request, "patches", context, status)


def _row(patch: Patch, actor: Actor) -> list[Any]:
    state = service.patch_state(patch)
    words: dict[str, Context] = {
        "making": {"state": "running", "text": _("being made")},
        "failed": {"state": "fail", "text": _("failed"), "note": " ".join(patch.job.error.get("messages", []))},
        "there": {"state": "pass", "text": _("%(n)s bytes") % {"n": f"{patch.size:,}"}},
        "gone": {"state": "paused", "text": _("deleted with the old weights")},
    }
    due = Disposal.objects.filter(what=Disposal.What.PATCH, artifact=patch.artifact).first() if patch.artifact else None
    return [
        case_cell(patch.release.case, actor), str(patch.release.version),
        _("anyone") if patch.public else _("holders of the base only"),
        {**words[state], "note": words[state].get("note") or when(patch.asked_at)},
        {"digest": patch.digest} if patch.digest else "", day(due.due_on) if due else "",
    ]  # fmt: skip


@require_POST
@staff(P.MAKE_PATCH, decide=True)
def make(request: HttpRequest) -> HttpResponseBase:
    """Have the engine make the patch of a release."""
    form = PatchForm(request.POST, auto_id="patch_%s")

    def do() -> str:
        service.patch_make(**form.cleaned_data, actor=Actor.of(request.user))
        return _("The engine makes it.")

    return perform(request, form, do, _page, "patches")


@require_POST
@staff(P.MAKE_PATCH)
def fetch_zip(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A patch's folder as a ZIP."""
    found = Patch.objects.select_related("release__case__claimant", "job").filter(pk=pk).first()
    if found is None:
        raise Http404
    data = service.patch_fetch(patch=found, actor=Actor.of(request.user))
    return attachment(data, "application/zip", f"patch-{found.digest.removeprefix('sha256:')[:12]}.zip")
