"""Verification policies as a page: what is in force, what waits for a second person, and every version before."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance import dispatch
from governance.errors import GovernanceError
from governance.evidence import policy_words
from governance.models import VerificationPolicy
from governance.policies import Actor, Permission, may
from governance.services import verification_policies as service
from governance.web.guards import roles_with, staff
from governance.web.probes import margin_words
from governance.web.threshold_forms import PolicyForm, ReturnForm

P = Permission
Context = dict[str, Any]
STATES = {"easier": "at_risk", "harder": "pass", "either": "inconclusive"}


@require_safe
@staff(P.SEE_POLICIES)
def policies(request: HttpRequest) -> HttpResponseBase:
    """The policy in force, the proposal that waits, the history."""
    return _page(request)


def _page(request: HttpRequest, form: forms.Form | None = None, status: int = 200) -> HttpResponse:
    actor, newest, waiting = Actor.of(request.user), service.newest(), service.waiting()
    policy = newest.policy if newest else dispatch.whole_policy({})
    rows = VerificationPolicy.objects.select_related("proposed_by", "approved_by", "returned_by")
    context = {
        "conclusion": _conclusion(newest),
        "sentence": _waiting_words(waiting),
        "facts": _facts(newest, policy),
        "eased": _eased(policy),
        "lines": margin_words(policy),
        "waiting": _proposal(waiting, actor, form) if waiting else None,
        "history": [_version(row) for row in rows.order_by("-version") if row != waiting],
        "default": _default(),
        "propose_url": reverse("policy_propose") if may(actor, P.PROPOSE_POLICY) and not waiting else "",
        "unfit": _unfit(),
    }
    return render(request, "policies/policies.html", context, status=status)


def _conclusion(newest: VerificationPolicy | None) -> str:
    if newest is None:
        return _("New plans are judged by the engine's own policy")
    eased = len(_eased(newest.policy))
    if not eased:
        return _("New plans are judged by policy %(n)d, nowhere easier than the engine's own") % {"n": newest.version}
    words = ngettext(
        "New plans are judged by policy %(n)d, easier to pass at %(k)d point than the engine's own",
        "New plans are judged by policy %(n)d, easier to pass at %(k)d points than the engine's own",
        eased,
    )
    return words % {"n": newest.version, "k": eased}


def _waiting_words(waiting: VerificationPolicy | None) -> str:
    if waiting is None:
        return _("A change needs two people and a reason. Plans that exist keep the policy that was fixed for them.")
    return _("Version %(n)d waits for a second person.") % {"n": waiting.version}


def _unfit() -> str:
    """Why no new plan could be made now; empty where one can."""
    try:
        service.current()
    except GovernanceError as error:
        return " ".join(error.messages)
    return ""


def _eased(policy: dict[str, Any]) -> list[str]:
    return policy_words.eased(map(dataclasses.asdict, dispatch.policy_changes(dispatch.whole_policy({}), policy)))


def _when(moment: Any) -> str:
    return date_format(timezone.localtime(moment), "j M Y, H:i") if moment else ""


def _facts(newest: VerificationPolicy | None, policy: dict[str, Any]) -> list[Any]:
    digest = {"label": _("Digest"), "value": dispatch.digest(policy), "digest": True}
    if newest is None:
        return [(_("Version"), _("0, %(name)s %(n)s") % {"name": policy["name"], "n": policy["version"]}), digest]
    return [
        (_("Version"), str(newest.version)),
        (_("Proposed"), f"{newest.proposed_by}, {_when(newest.proposed_at)}"),
        (_("Approved"), f"{newest.approved_by}, {_when(newest.approved_at)}"),
        (_("Why"), newest.reason),
        digest,
    ]


def _differences(row: VerificationPolicy) -> list[list[Any]]:
    """Rows for the `table` tag: what changes, and which way."""
    return [
        [
            policy_words.change_words(dataclasses.asdict(change)),
            {"state": STATES[change.effect], "text": str(policy_words.EFFECTS[change.effect])},
        ]
        for change in dispatch.policy_changes(row.before, row.policy)
    ]


COLUMNS = ("Change", "Effect")


def _proposal(row: VerificationPolicy, actor: Actor, form: forms.Form | None) -> Context:
    """What waits, with two signature lines; whoever proposed sees no button to approve, but why."""
    own = row.proposed_by == actor.user
    can = may(actor, P.APPROVE_POLICY)
    roles = ", ".join(roles_with(P.APPROVE_POLICY))
    return {
        "version": row.version,
        "reason": row.reason,
        "columns": [_(name) for name in COLUMNS],
        "rows": _differences(row),
        "first": {"name": str(row.proposed_by), "signed": True,
                  "note": _("First signature, %(when)s") % {"when": _when(row.proposed_at)}},
        "second": {"name": "", "signed": False, "state": _("waiting for you") if can and not own else _("waiting"),
                   "note": _("Second signature: %(roles)s, not the person who proposed") % {"roles": roles}},
        "why_not": _("You proposed this version; a second person must approve it.") if own else
        "" if can else _("This step is for: %(roles)s.") % {"roles": roles},
        "approve_url": reverse("policy_approve", args=[row.version]) if can and not own else "",
        "return_url": reverse("policy_return", args=[row.version]) if can else "",
        "return_title": _("Take it back") if own else _("Return it"),
        "form": form or ReturnForm(),
        "form_open": form is not None,
    }  # fmt: skip


def _version(row: VerificationPolicy) -> Context:
    if row.approved_at:
        state, word = "pass", _("approved by %(who)s, %(when)s") % {
            "who": row.approved_by, "when": _when(row.approved_at)}  # fmt: skip
    else:
        state, word = "waiting", _("returned by %(who)s, %(when)s: %(why)s") % {
            "who": row.returned_by, "when": _when(row.returned_at), "why": row.returned_reason}  # fmt: skip
    return {
        "title": _("Version %(n)d") % {"n": row.version},
        "state": state,
        "word": word,
        "proposed": _("Proposed by %(who)s, %(when)s: %(why)s") % {
            "who": row.proposed_by, "when": _when(row.proposed_at), "why": row.reason},
        "digest": row.digest,
        "columns": [_(name) for name in COLUMNS],
        "rows": _differences(row),
    }  # fmt: skip


def _default() -> Context:
    policy = dispatch.whole_policy({})
    return {
        "title": _("Version 0: the engine's own policy, %(name)s %(n)s")
        % {"name": policy["name"], "n": policy["version"]},
        "lines": margin_words(policy),
        "digest": dispatch.digest(policy),
    }


def _fetch(version: int) -> VerificationPolicy:
    row = VerificationPolicy.objects.select_related("proposed_by").filter(version=version).first()
    if row is None:
        raise Http404
    return row


@gzip_page
@require_http_methods(["GET", "HEAD", "POST"])
@staff(P.PROPOSE_POLICY, decide=True)
def propose(request: HttpRequest) -> HttpResponseBase:
    """First signature under other thresholds."""
    newest = service.newest()
    base = dispatch.whole_policy(newest.policy if newest else {})
    form, status = PolicyForm(base, request.POST if request.method == "POST" else None), 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                made = service.policy_propose(
                    thresholds=form.thresholds(), reason=form.cleaned_data["reason"], actor=Actor.of(request.user)
                )
            except GovernanceError as error:
                status = error.status
                for problem in error.messages:
                    form.add_error(None, problem)
            else:
                messages.success(request, _("Version %(n)d waits for a second person.") % {"n": made.version})
                return redirect("policies")
    crumbs = [{"label": _("Policies"), "url": reverse("policies")}, {"label": _("Propose")}]
    parts = [
        {"title": _("Attacks"), "fields": [form["attacks"]]},
        {"title": _("Margins"), "fields": form.part("margins"),
         "note": _("How far beyond the reference each probe may lie. 0.1 is ten points.")},
        {"title": _("What must stay"), "fields": [form["required_utility"]]},
        {"title": _("Counts, levels and floors"), "fields": form.rest(), "note": _("Shares are written as 0.95.")},
        {"title": _("Relearning"), "fields": form.part("relearning")},
        {"title": _("Reason"), "fields": [form["reason"]]},
    ]  # fmt: skip
    context = {"form": form, "parts": parts, "crumbs": crumbs}
    return render(request, "policies/propose.html", context, status=status)


@require_POST
@staff(P.APPROVE_POLICY, decide=True)
def approve(request: HttpRequest, version: int) -> HttpResponseBase:
    """Second signature."""
    try:
        service.policy_approve(policy=_fetch(version), actor=Actor.of(request.user))
    except GovernanceError as error:
        messages.error(request, " ".join(error.messages))
        return _page(request, status=error.status)
    messages.success(request, _("Version %(n)d is in force: new plans take it.") % {"n": version})
    return redirect("policies")


@require_POST
@staff(P.APPROVE_POLICY, decide=True)
def give_back(request: HttpRequest, version: int) -> HttpResponseBase:
    """A second person says no, or whoever proposed takes it back."""
    row, form = _fetch(version), ReturnForm(request.POST)
    if not form.is_valid():
        return _page(request, form, 422)
    try:
        service.policy_return(policy=row, actor=Actor.of(request.user), reason=form.cleaned_data["reason"])
    except GovernanceError as error:
        messages.error(request, " ".join(error.messages))
        return _page(request, status=error.status)
    messages.success(request, _("Version %(n)d went back; the history keeps it.") % {"n": version})
    return redirect("policies")
