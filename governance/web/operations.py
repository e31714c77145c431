"""The engineers' rooms: models and datasets in the register, jobs with their course."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from governance.errors import GovernanceError, Unfit
from governance.models import AiModel, Dataset, Job, ModelVersion
from governance.policies import Actor, Permission, may
from governance.selectors import catalogue as select
from governance.selectors import jobs as select_jobs
from governance.selectors import queue_forecast
from governance.services import downloads, feed_pages
from governance.services import jobs as job_service
from governance.web import (
    containment,
    downstream_view,
    job_compare,
    job_curves,
    job_view,
    lineage_view,
    register_view,
    statement_pages,
    worker_view,
)
from governance.web.containment import attachment
from governance.web.guards import staff
from governance.web.narrowed import Narrowed
from governance.web.register_forms import DatasetForm, DeploymentForm, MediumForm, RecipientForm, VersionForm
from governance.web.sheets import csv_response

P = Permission


@require_safe
@staff(P.SEE_MODELS)
def models(request: HttpRequest) -> HttpResponseBase:
    """The register of models."""
    return _models_page(request)


def _models_page(request: HttpRequest, form: forms.Form | None = None, status: int = 200) -> HttpResponse:
    actor = Actor.of(request.user)
    extra = (
        [_register("models_register", _("Register a version"), form or VersionForm())]
        if may(actor, P.REGISTER_MODELS)
        else []
    )
    context = {**register_view.models(select.models(actor), select.waiting_cases()), "register": extra}
    return render(request, "operations/models.html", context, status=status)


def _register(name: str, title: str, form: forms.Form, *args: Any) -> dict[str, Any]:
    return {"title": title, "form": form, "action": reverse(name, args=args), "open": form.is_bound}


def _fetch_model(request: HttpRequest, public_id: uuid.UUID) -> AiModel:
    try:
        return select.model_get(Actor.of(request.user), public_id)
    except AiModel.DoesNotExist as error:
        raise Http404 from error


@require_safe
@staff(P.SEE_MODELS)
def model(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """One model: versions, places, datasets, recipients, deletions."""
    return _model_page(request, _fetch_model(request, public_id))


def _model_page(
    request: HttpRequest, found: AiModel, form: forms.Form | None = None, status: int = 200
) -> HttpResponse:
    actor = Actor.of(request.user)
    context = register_view.model(found, actor)
    if may(actor, P.REGISTER_MODELS):
        place = form if isinstance(form, DeploymentForm) else DeploymentForm(found)
        recipient = form if isinstance(form, RecipientForm) else RecipientForm(found)
        medium = form if isinstance(form, MediumForm) else MediumForm(found)
        context["register"] = [
            _register("model_medium", _("Say what it works with"), medium, found.public_id),
            _register("model_place", _("Register a place"), place, found.public_id),
            _register("model_recipient", _("Register a recipient"), recipient, found.public_id),
        ]
    return render(request, "operations/model.html", context, status=status)


@require_safe
@staff(P.SEE_MODELS)
def version(request: HttpRequest, public_id: uuid.UUID, revision: int) -> HttpResponseBase:
    """One version: its lineage's shard map and what a deletion would cost."""
    return render(request, "operations/version.html", _version_page(request, public_id, revision))


@require_safe
@staff(P.SEE_MODELS)
def version_cost(request: HttpRequest, public_id: uuid.UUID, revision: int) -> HttpResponseBase:
    """The curve of what a deletion takes, as CSV."""
    charts = _version_page(request, public_id, revision).get("charts")
    if not charts:
        raise Http404
    return csv_response(f"deletion-cost-{revision}", lineage_view.csv_rows(charts[0]))


def _fetch_version(request: HttpRequest, public_id: uuid.UUID, revision: int) -> ModelVersion:
    try:
        return select.version_get(Actor.of(request.user), public_id, revision)
    except ModelVersion.DoesNotExist as error:
        raise Http404 from error


def _version_page(request: HttpRequest, public_id: uuid.UUID, revision: int) -> dict[str, Any]:
    found, actor = _fetch_version(request, public_id, revision), Actor.of(request.user)
    context = register_view.plans(found.model, actor, found)
    if may(actor, P.TAKE_WEIGHTS):
        address = reverse("version_weights", args=[public_id, revision])
        context |= {"weights_url": address, "weights_refusal": downloads.refusal(found)}
    lineage = lineage_view.page(found, select.deletions(found.model))
    return {**lineage, **statement_pages.part(found), **downstream_view.part(found), **context}


@require_POST
@staff(P.TAKE_WEIGHTS, decide=True)
def version_weights(request: HttpRequest, public_id: uuid.UUID, revision: int) -> HttpResponseBase:
    """The weights of a version with what was signed about them, as a ZIP that is made while it leaves."""
    found = _fetch_version(request, public_id, revision)
    try:
        pieces = downloads.weights_take(version=found, actor=Actor.of(request.user))
    except Unfit as error:
        messages.error(request, " ".join(error.messages))
        return redirect("version", public_id=public_id, revision=revision)
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    name = f"{slugify(found.model.name) or 'model'}-rev-{revision}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def save(request: HttpRequest, form: Any) -> int:
    """Save a valid form; the status of the page that shows its errors, or 0 when it was saved."""
    if not form.is_valid():
        return 422
    try:
        messages.success(request, _("Registered: %(what)s.") % {"what": form.save(Actor.of(request.user))})
    except GovernanceError as error:
        for problem in error.messages:
            form.add_error(None, problem)
        return error.status
    return 0


@require_POST
@staff(P.REGISTER_MODELS)
def models_register(request: HttpRequest) -> HttpResponseBase:
    """Register stored weights as the next version of a model."""
    form = VersionForm(request.POST)
    status = save(request, form)
    return _models_page(request, form, status) if status else redirect("models")


def _register_of_model(kind: type[Any]) -> Callable[..., HttpResponseBase]:
    @require_POST
    @staff(P.REGISTER_MODELS)
    def view(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
        found = _fetch_model(request, public_id)
        form = kind(found, request.POST)
        status = save(request, form)
        return _model_page(request, found, form, status) if status else redirect("model", public_id=public_id)

    return view


model_medium = _register_of_model(MediumForm)
model_place = _register_of_model(DeploymentForm)
model_recipient = _register_of_model(RecipientForm)


@require_safe
@staff(P.SEE_MODELS)
def datasets(request: HttpRequest) -> HttpResponseBase:
    """The register of datasets."""
    return _datasets_page(request)


def _datasets_page(request: HttpRequest, form: forms.Form | None = None, status: int = 200) -> HttpResponse:
    actor = Actor.of(request.user)
    extra = (
        [_register("datasets_register", _("Register a dataset"), form or DatasetForm())]
        if may(actor, P.REGISTER_MODELS)
        else []
    )
    context = {**register_view.datasets(select.datasets(actor)), "register": extra}
    return render(request, "operations/datasets.html", context, status=status)


@require_POST
@staff(P.REGISTER_MODELS)
def datasets_register(request: HttpRequest) -> HttpResponseBase:
    """Register a stored JSONL dataset."""
    form = DatasetForm(request.POST)
    status = save(request, form)
    return _datasets_page(request, form, status) if status else redirect("datasets")


@require_safe
@staff(P.SEE_MODELS)
def dataset(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """One dataset and its records, page by page."""
    try:
        found = select.dataset_get(Actor.of(request.user), public_id)
    except Dataset.DoesNotExist as error:
        raise Http404 from error
    held = request.GET.get("held") == "1"
    page = select.records(found, after=request.GET.get("after", ""), held=held)
    extra = containment.dataset_parts(found, Actor.of(request.user))
    return render(request, "operations/dataset.html", {**register_view.dataset(found, page, held=held), **extra})


@require_safe
@staff(P.SEE_JOBS)
def jobs(request: HttpRequest) -> HttpResponseBase:
    """Every job, newest first."""
    actor, asked = Actor.of(request.user), Narrowed.of(request.GET, job_view.CHOICES)
    state, queue, kind = (asked.chosen[name] for name in ("state", "queue", "kind"))
    page = select_jobs.jobs_page(
        actor, states=(state,) if state else (), queue=queue, kind=kind, case=asked.words,
        after=request.GET.get("after", ""),
    )  # fmt: skip
    running = select_jobs.jobs(actor).filter(state=Job.State.RUNNING)
    context = job_view.listing(page, asked, select_jobs.active_counts(actor, queue=queue))
    context |= worker_view.section(
        select_jobs.workers(actor), list(running), queue_forecast.whole(), feed_pages.waits_since()
    )
    return render(request, "operations/jobs.html", context)


@require_safe
@staff(P.SEE_JOBS)
def jobs_compare(request: HttpRequest) -> HttpResponseBase:
    """Up to four runs side by side: `?job=ID&job=ID`."""
    found = select_jobs.beside(Actor.of(request.user), request.GET.getlist("job"))
    points = {one.pk: select_jobs.points(one) for one in found}
    others = select_jobs.comparable(found[0]) if found else []
    return render(request, "operations/compare.html", job_compare.page(found, points, others))


@require_safe
@staff(P.CANCEL_JOB)
def job_log(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """The end of the engine's log, which may quote data: for engineers alone."""
    found = _fetch_job(request, job_id)
    text = job_service.log_of(found)
    if text is None:
        raise Http404
    return render(request, "operations/log.html", job_view.log_page(found, text))


@require_safe
@staff(P.SEE_JOBS)
def job_spec(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """The spec as it is stored, byte for byte."""
    name, data = job_view.spec_file(_fetch_job(request, job_id))
    if not data:
        raise Http404
    return attachment(data, "application/json", name)


def _fetch_job(request: HttpRequest, job_id: uuid.UUID) -> Job:
    try:
        return select_jobs.job_get(Actor.of(request.user), job_id)
    except Job.DoesNotExist as error:
        raise Http404 from error


@require_safe
@staff(P.SEE_JOBS)
def job(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """One job: how far it is, its course, its spec; `?format=csv` gives the course."""
    found = _fetch_job(request, job_id)
    points = select_jobs.points(found)
    if request.GET.get("format") == "csv":
        return csv_response(f"job-{found.pk}", job_curves.table(points))
    siblings = select_jobs.siblings(found)
    others = select_jobs.comparable(found)
    context = job_view.page(found, points, may(Actor.of(request.user), P.CANCEL_JOB), siblings, others)
    return render(request, "operations/job.html", context)


@require_POST
@staff(P.CANCEL_JOB)
def job_cancel(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """Stop a job."""
    found = _fetch_job(request, job_id)
    if job_service.job_cancel(job=found, actor=Actor.of(request.user)):
        messages.success(request, _("Cancelled; the worker ends its process at the next heartbeat."))
    else:
        messages.warning(request, _("The job had ended already."))
    return redirect("job", job_id=job_id)


@require_POST
@staff(P.CANCEL_JOB)
def job_retry(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    """Let a failed or cancelled job run once more."""
    found = _fetch_job(request, job_id)
    if found.state not in (Job.State.FAILED, Job.State.CANCELLED):
        messages.warning(request, _("Only a job that failed or was cancelled can run again."))
    else:
        job_service.job_retry(job=found, actor=Actor.of(request.user))
        messages.success(request, _("Queued again."))
    return redirect("job", job_id=job_id)
