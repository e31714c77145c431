"""Registering one's own model, guided: data first, then weights, then where they answer; each step looks up its end."""

from __future__ import annotations

from typing import Any

from django.conf import settings
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

STEPS = ("dataset", "model", "place")


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
            return redirect("register_guide")
    return _page(request, forms, model, status)


def _newest(actor: Actor) -> AiModel | None:
    rows = select.models(actor)
    return max(rows, key=lambda one: one.pk) if rows else None


def _page(request: HttpRequest, forms: dict[str, Any], model: AiModel | None, status: int) -> HttpResponse:
    datasets = Dataset.objects.count()
    versions = ModelVersion.objects.count()
    places = Deployment.objects.filter(version__model=model).count() if model else 0
    counts = {"dataset": datasets, "model": versions, "place": places}
    done = sum(bool(count) for count in counts.values())
    context = {
        "crumbs": [{"label": _("Models"), "url": reverse("models")}, {"label": _("Register your own")}],
        "conclusion": _("Data, weights and a place are registered") if done == len(STEPS)
        else _("Register your own model: %(n)d of 3 steps done") % {"n": done},
        "steps": [
            _step("dataset", _("What it was trained on"), "python -m unlearning_engine put DATA.jsonl", forms, counts,
                  _("JSONL, Parquet or a saved dataset. Other names of columns: --columns text=body. "
                    "Without ids it makes them.")),
            _step("model", _("The weights"), "python -m unlearning_engine put FOLDER_OF_THE_MODEL", forms, counts,
                  _("A folder as save_pretrained leaves it, with its tokenizer.")),
            _step("place", _("Where it answers"), "", forms, counts,
                  _("After a release each place is asked about: no report claims what still answers elsewhere.")),
        ],
        "store": settings.ARTIFACTS_URL,
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
        "command": command,
        "form": None if waits else form,
        "state": "pass" if counts[name] else "waiting",
        "word": _("%(n)d registered") % {"n": counts[name]} if counts[name] else _("to do"),
        "waits": _("After the step before.") if waits else "",
    }
