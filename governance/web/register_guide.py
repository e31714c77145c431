"""Registering one's own model, guided: data first, then weights, then where they answer; each step looks up its end."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from governance.models import AiModel, Dataset, Deployment, ModelVersion
from governance.policies import Actor, Permission
from governance.selectors import catalogue as select
from governance.web.guards import staff
from governance.web.operations import save
from governance.web.register_forms import DatasetForm, DeploymentForm, VersionForm

#: The engine as the set-up leaves it, run in the folder of this software.
PUT = ".venv/bin/python -m unlearning_engine put"
#: Where one goes on; after the last step that one is still shown, for another place.
AFTER = {"dataset": "model", "model": "place", "place": "place"}


@require_http_methods(["GET", "HEAD", "POST"])
@staff(Permission.REGISTER_MODELS)
def guide(request: HttpRequest) -> HttpResponseBase:
    """Three steps on one page; a form that was sent names its step, and only its errors are shown."""
    actor = Actor.of(request.user)
    model = _newest(actor)
    sent = request.POST.get("step", "") if request.method == "POST" else ""
    forms = {
        "dataset": DatasetForm(request.POST if sent == "dataset" else None),
        "model": VersionForm(request.POST if sent == "model" else None),
        "place": DeploymentForm(model, request.POST if sent == "place" else None) if model else None,
    }
    status = 200
    if (form := forms.get(sent)) is not None:
        status = save(request, form)
        if not status:
            return redirect(f"{reverse('register_guide')}#step-{AFTER[sent]}")
    return _page(request, forms, status)


def _newest(actor: Actor) -> AiModel | None:
    rows = select.models(actor)
    return max(rows, key=lambda one: one.pk) if rows else None


def _page(request: HttpRequest, forms: dict[str, Any], status: int) -> HttpResponse:
    rows: dict[str, type[Model]] = {"dataset": Dataset, "model": ModelVersion, "place": Deployment}
    counts = {name: kept._default_manager.count() for name, kept in rows.items()}
    context = {
        "crumbs": [{"label": _("Models"), "url": reverse("models")}, {"label": _("Register your own")}],
        "conclusion": _("Register your own model in three steps"),
        "steps": [
            _step("dataset", _("What it was trained on"), f"{PUT} DATA.jsonl", forms, counts,
                  _("JSONL, Parquet or a saved dataset, with a text a row, or a prompt and an answer. Columns with "
                    "other names: add --columns text=body. Ids are made where there are none. "
                    "Register never-seen controls in the same way: there is no verdict without them.")),
            _step("model", _("The weights"), f"{PUT} FOLDER_OF_THE_MODEL", forms, counts,
                  _("A folder as save_pretrained leaves it, with its tokenizer.")),
            _step("place", _("Where it answers"), "", forms, counts,
                  _("After a release each place is asked about: no report claims what still answers elsewhere.")),
        ],
    }  # fmt: skip
    return render(request, "operations/guide.html", context, status=status)


def _step(
    name: str, title: str, command: str, forms: dict[str, Any], counts: dict[str, int], note: str
) -> dict[str, Any]:
    form = forms[name]
    waits = form is None or (name == "model" and not counts["dataset"])
    return {
        "name": name,
        "title": title,
        "note": note,
        "typed": f"export LETHE_ARTIFACTS={settings.ARTIFACTS_URL}\n{command}" if command else "",
        "form": None if waits else form,
        # What stands there may be of other models: it is counted, never called done.
        "word": _("%(n)d registered so far") % {"n": counts[name]},
        "waits": _("After the step before.") if waits else "",
    }
