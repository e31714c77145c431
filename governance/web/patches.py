"""Patches of releases: asked for, fetched, and the day on which each goes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.errors import Conflict
from governance.models import Case, Disposal, Patch, PatchPublication, PatchWithdrawal
from governance.policies import Actor, Permission, may
from governance.services import patch_feed, patch_withdrawals
from governance.services import patches as service
from governance.web.containment import attachment
from governance.web.duty_pages import (
    Context,
    Nothing,
    Shown,
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
    known = _publications(found)
    there = [one for one in found if service.patch_state(one) == "there"]
    fetch = [
        {"plain": True, "form": Nothing(), "action": reverse("patch_zip", args=[one.pk]),
         "submit": _("Fetch the patch of case %(number)s") % {"number": one.release.case.number}}
        for one in there
    ]  # fmt: skip
    context = {
        "conclusion": ngettext("%(n)d patch is kept", "%(n)d patches are kept", len(there)) % {"n": len(there)},
        "sentence": _("What a release changed, as a small file for those who hold the old weights."),
        "links": [{"label": _("Subscribers"), "url": reverse("subscribers")}],
        "parts": [
            {
                "id": "patches", "title": _("Patches of releases"),
                "note": _("A patch beside its result is the old weights, so it goes with them; after that day nobody "
                          "can put them back."),
                "columns": [_("Case"), _("Version"), _("For"), _("State"), _("Digest"), _("Goes")],
                "rows": [_row(one, known.get(one.pk), actor) for one in found],
                "empty": _("No patch was made."),
                "next": _("The first one is made of a release, before its old weights are deleted."),
                "forms": [
                    *([ask, *fetch] if may(actor, P.MAKE_PATCH) else []),
                    *_publishing(found, known, actor, form),
                ],
            }
        ],
    }  # fmt: skip
    return sheet(request, "patches", context, status)


class WithdrawForm(forms.Form):
    """Why a published patch is taken back."""

    reason = forms.ChoiceField(
        label=gettext_lazy("Why"), choices=PatchWithdrawal.Reason.choices,
        help_text=gettext_lazy("Stands in the feed. Whoever has the patch keeps it; nobody else gets it any more."),
    )  # fmt: skip


def _publications(patches: list[Patch]) -> dict[int, PatchPublication]:
    """The newest of each patch: what was given back stands until it is proposed anew."""
    rows = PatchPublication.objects.filter(patch__in=patches).select_related("proposed_by", "returned_by")
    return {row.patch_id: row for row in rows.order_by("id").prefetch_related("withdrawals")}


def _publishing(
    found: list[Patch], known: dict[int, PatchPublication], actor: Actor, form: forms.Form | None
) -> list[Context]:
    """What this person may do towards publishing, and towards taking it back."""
    offered: list[Context] = []
    for one in found:
        row, number = known.get(one.pk), {"number": one.release.case.number}
        waiting = _waiting(row)
        if row is None or row.returned_at:
            if one.public and service.patch_state(one) == "there" and may(actor, P.MAKE_PATCH):
                words = _("Propose to publish the patch of case %(number)s") % number
                offered.append(_button(words, "patch_propose", one))
        elif row.is_open:
            offered += _publishable(one, row, actor, form)
        elif waiting and waiting.proposed_by_id == getattr(actor.user, "pk", None):
            words = _("Take back the proposal to withdraw the patch of case %(number)s") % number
            offered.append(_button(words, "patch_withdraw_return", one))
        elif waiting and may(actor, P.RELEASE_LEGAL):
            text = _("Withdraw the published patch of case %(number)s") % number
            offered += [
                {**_button(text, "patch_withdraw_approve", one), "note": waiting.get_reason_display(),
                 "form": Shown(initial={"shown": waiting.pk}, auto_id=False)},
                _button(_("Keep the patch of case %(number)s published") % number, "patch_withdraw_return", one),
            ]  # fmt: skip
        elif row and row.approved_at and not waiting and not row.withdrawal and may(actor, P.MAKE_PATCH):
            mine = form if isinstance(form, WithdrawForm) and form.data.get("patch") == str(one.pk) else None
            offered.append({
                "title": _("Propose to withdraw the patch of case %(number)s") % number, "submit": _("Propose"),
                "form": mine or WithdrawForm(auto_id=f"withdraw_{one.pk}_%s"), "open": mine is not None,
                "action": reverse("patch_withdraw", args=[one.pk]),
            })  # fmt: skip
    return offered


def _publishable(patch: Patch, row: PatchPublication, actor: Actor, form: forms.Form | None) -> list[Context]:
    """What this person may say to a publication that waits: yes, no, or that they take it back."""
    number, no = {"number": patch.release.case.number}, reverse("patch_publish_return", args=[patch.pk])
    if row.proposed_by == actor.user:
        return [take_back(no, _("Take back the proposal to publish the patch of case %(number)s") % number)]
    if not may(actor, P.RELEASE_LEGAL):
        return []
    yes = _button(_("Publish the patch of case %(number)s to everybody") % number, "patch_publish", patch)
    refuse = refusal(patch.pk, form, no, _("Refuse to publish the patch of case %(number)s") % number)
    return [yes, refuse] if service.patch_state(patch) == "there" else [refuse]


def _button(words: str, name: str, patch: Patch) -> Context:
    return {"plain": True, "form": Nothing(), "action": reverse(name, args=[patch.pk]), "submit": words}


def _waiting(row: PatchPublication | None) -> PatchWithdrawal | None:
    """A withdrawal that waits for a second person."""
    rows = row.withdrawals.all() if row else []
    return next((one for one in rows if not one.approved_at and not one.returned_at), None)


def _audience(patch: Patch, row: PatchPublication | None) -> Context | str:
    if not patch.public:
        return _("holders of the base only")
    if row is None:
        return _("anyone")
    if gone := row.withdrawal:
        return {"state": "fail", "text": _("withdrawn"), "note": gone.get_reason_display()}
    if _waiting(row):
        return {"text": _("anyone"), "note": _("withdrawal proposed")}
    if row.returned_at:
        no = _("publication refused by %(who)s: %(why)s") if row.returned_why else _("proposal taken back by %(who)s")
        return {"text": _("anyone"), "note": no % {"who": row.returned_by, "why": row.returned_why}}
    return {"text": _("anyone"), "note": _("published") if row.approved_at else _("publication proposed")}


def _row(patch: Patch, row: PatchPublication | None, actor: Actor) -> list[Any]:
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
        _audience(patch, row),
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


def _fetch(pk: int) -> Patch:
    related = ("release__case__claimant", "release__version", "job")
    found = Patch.objects.select_related(*related).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


@require_POST
@staff(P.MAKE_PATCH, decide=True)
def propose(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Propose to publish a patch."""
    found = _fetch(pk)

    def do() -> str:
        patch_feed.publication_propose(patch=found, actor=Actor.of(request.user))
        return _("Proposed. Legal or an approver now decides.")

    return perform(request, Nothing(request.POST), do, _page, "patches")


@require_POST
@staff(P.RELEASE_LEGAL, decide=True)
def publish(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Approve that a patch is published."""
    found = _fetch(pk)

    def do() -> str:
        patch_feed.publication_approve(publication=_published(found), actor=Actor.of(request.user))
        return _("Published: it stands in the feed.")

    return perform(request, Nothing(request.POST), do, _page, "patches")


@require_POST
@staff(P.RELEASE_LEGAL, P.MAKE_PATCH, decide=True)
def publish_return(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A publication that waits is refused with a reason, or taken back by whoever proposed it."""
    found = _fetch(pk)
    row = _publications([found]).get(found.pk)
    form, reason = ending(request, pk, row.proposed_by_id if row else None)

    def do() -> str:
        patch_feed.publication_return(publication=_published(found), actor=Actor.of(request.user), reason=reason())
        return _("It is not published. It may be proposed anew.")

    return perform(request, form, do, _page, "patches")


def _published(found: Patch) -> PatchPublication:
    row = _publications([found]).get(found.pk)
    if row is None:
        raise Conflict("Nobody proposed to publish this patch.")
    return row


@require_POST
@staff(P.MAKE_PATCH, decide=True)
def withdraw(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Propose that nobody gets a published patch any more."""
    found = _fetch(pk)
    form = WithdrawForm({**request.POST.dict(), "patch": str(pk)}, auto_id=f"withdraw_{pk}_%s")

    def do() -> str:
        reason, actor = form.cleaned_data["reason"], Actor.of(request.user)
        patch_withdrawals.withdrawal_propose(publication=_published(found), reason=reason, actor=actor)
        return _("Proposed. Legal or an approver now decides.")

    return perform(request, form, do, _page, "patches")


def _withdrawal(found: Patch) -> PatchWithdrawal:
    waiting = _waiting(_published(found))
    if waiting is None:
        raise Conflict("Nobody proposed to withdraw this patch, or that was answered already.")
    return waiting


@require_POST
@staff(P.RELEASE_LEGAL, decide=True)
def withdraw_approve(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Approve the withdrawal that was shown."""
    found, form = _fetch(pk), Shown(request.POST)

    def do() -> str:
        actor = Actor.of(request.user)
        patch_withdrawals.withdrawal_approve(withdrawal=_withdrawal(found), actor=actor, **form.cleaned_data)
        return _("Withdrawn: the feed says so from now on.")

    return perform(request, form, do, _page, "patches")


@require_POST
@staff(P.RELEASE_LEGAL, P.MAKE_PATCH, decide=True)
def withdraw_return(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A published patch stays so: refused, or taken back by whoever proposed its withdrawal."""
    found = _fetch(pk)

    def do() -> str:
        patch_withdrawals.withdrawal_return(withdrawal=_withdrawal(found), actor=Actor.of(request.user))
        return _("It stays published.")

    return perform(request, Nothing(request.POST), do, _page, "patches")


@require_POST
@staff(P.MAKE_PATCH)
def fetch_zip(request: HttpRequest, pk: int) -> HttpResponseBase:
    """A patch's folder as a ZIP."""
    found = Patch.objects.select_related("release__case__claimant", "job").filter(pk=pk).first()
    if found is None:
        raise Http404
    data = service.patch_fetch(patch=found, actor=Actor.of(request.user))
    return attachment(data, "application/zip", f"patch-{found.digest.removeprefix('sha256:')[:12]}.zip")
