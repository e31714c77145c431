"""Signed statements about a version and its patch: what there is, and the set to take away."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from governance.models import AttestationSet, Job, ModelVersion
from governance.policies import Permission
from governance.services import attestations
from governance.web.containment import attachment
from governance.web.guards import staff

Context = dict[str, Any]


def part(version: ModelVersion) -> Context:
    """The section of a version's page."""
    return {
        "statement_columns": [_("About"), _("State"), _("Documents"), _("Digest of what it is about")],
        "statement_rows": [_row(one) for one in attestations.sets_of(version)],
    }


def _row(one: AttestationSet) -> list[Any]:
    about = _("the patch that leads to it") if one.patch else _("this version")
    found = attestations.documents(one)
    if found:
        url = reverse("version_statements", args=[one.version.model.public_id, one.version.revision, one.pk])
        about_cell: Any = {"text": about, "url": url, "note": _("download")}
        state: Context = {"state": "pass", "text": _("signed")}
    else:
        about_cell, state = about, _waiting(one)
    return [about_cell, state, ", ".join(sorted(found)), {"digest": one.subject} if one.subject else ""]


def _waiting(one: AttestationSet) -> Context:
    if one.artifact:
        return {"state": "paused", "text": _("deleted")}
    if one.job.state in (Job.State.FAILED, Job.State.CANCELLED):
        return {"state": "fail", "text": _("failed"), "note": " ".join(one.job.error.get("messages", []))}
    return {"state": "running", "text": _("being signed")}


@require_safe
@staff(Permission.SEE_MODELS)
def fetch(request: HttpRequest, public_id: uuid.UUID, revision: int, pk: int) -> HttpResponseBase:
    """A set of statements as a ZIP."""
    rows = AttestationSet.objects.filter(version__model__public_id=public_id, version__revision=revision)
    found = rows.filter(pk=pk).first()
    if found is None or not attestations.documents(found):
        raise Http404
    return attachment(attestations.packed(found), "application/zip", f"statements-{found.pk}.zip")
