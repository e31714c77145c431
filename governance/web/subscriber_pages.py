"""Subscribers of patches: who runs our models elsewhere, by which key they acknowledge, how they are told."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from governance.models import AiModel, PatchSubscriber, Subscription
from governance.policies import Actor, Permission, may
from governance.selectors import downstream
from governance.services import subscribers as service
from governance.validators import NAME_LENGTH, one_line
from governance.web.duty_pages import Context, Nothing, day, perform, sheet
from governance.web.guards import staff

P = Permission
SHOWN = 200


class SubscriberForm(forms.Form):
    """Who runs which model, and the key that we got from them by a way that we trust."""

    model = forms.ModelChoiceField(label=gettext_lazy("Model"), queryset=AiModel.objects.none())
    name = forms.CharField(label=gettext_lazy("Organisation"), max_length=120, validators=[one_line])
    contact = forms.CharField(
        label=gettext_lazy("Whom to write to"), max_length=NAME_LENGTH, validators=[one_line],
        help_text=gettext_lazy("Kept sealed, and deleted with the registration."),
    )  # fmt: skip
    public_key = forms.CharField(
        label=gettext_lazy("Public key"), max_length=400, widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("Ed25519, as PEM or 32 bytes in base64. Compare it with them over another channel."),
    )  # fmt: skip
    subscription = forms.ModelChoiceField(
        label=gettext_lazy("Webhook"), queryset=Subscription.objects.none(), required=False,
        empty_label=gettext_lazy("None: they read the feed"),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        models, hooks = AiModel.objects.order_by("name"), Subscription.objects.filter(removed_at=None)
        self.fields["model"].queryset = models  # type: ignore[attr-defined]
        self.fields["subscription"].queryset = hooks  # type: ignore[attr-defined]


@require_safe
@staff(P.SEE_DUTIES)
def subscribers(request: HttpRequest) -> HttpResponseBase:
    """Everybody who is registered."""
    return _page(request, None, 200)


def _page(request: HttpRequest, form: forms.Form | None, status: int) -> HttpResponse:
    actor = Actor.of(request.user)
    every, ours = downstream.registered(), may(actor, P.TELL_RECIPIENTS)
    found, count = list(every[:SHOWN]), every.count()
    register = {
        "title": _("Register a subscriber"), "action": reverse("subscriber_new"), "submit": _("Register"),
        "form": form if isinstance(form, SubscriberForm) else SubscriberForm(auto_id="subscriber_%s"),
        "open": isinstance(form, SubscriberForm),
    }  # fmt: skip
    remove = [
        {"plain": True, "form": Nothing(), "action": reverse("subscriber_remove", args=[one.public_id]),
         "submit": _("End the registration of %(name)s, %(model)s") % {"name": one.name, "model": one.model.name}}
        for one in found
    ]  # fmt: skip
    columns = [_("Organisation"), _("Model"), _("Told by"), _("Public key"), _("Since")]
    context: Context = {
        "conclusion": ngettext("%(n)d subscriber of patches", "%(n)d subscribers of patches", count)
        % {"n": count},
        "sentence": _("Who runs a model of ours elsewhere. Each version's page says who stated that a patch is "
                      "applied, and who did not."),
        "links": [{"label": _("Patches"), "url": reverse("patches")}],
        "parts": [
            {
                "id": "subscribers", "title": _("Subscribers"),
                "note": _("Known by their key: with it they sign that they fetched or applied a patch."),
                "facts": _addresses(),
                "columns": columns, "rows": [_row(one, ours) for one in found],
                "empty": _("Nobody is registered."),
                "next": _("Whoever runs a model elsewhere and gave us a key is entered here."),
                "forms": [register, *remove] if ours else [],
            }
        ],
    }  # fmt: skip
    return sheet(request, "patches", context, status)


def _addresses() -> list[dict[str, Any]]:
    """What a subscriber is told: where patches are announced, and the command that takes one."""
    feed, atom = (settings.BASE_URL + reverse(name) for name in ("patch_feed", "patch_feed_atom"))
    command = f"python -m unlearning_engine patch fetch-apply {feed} --trust lethe-trust.json --model DIR --out DIR"
    return [
        {"label": _("Signed feed"), "value": feed, "url": feed},
        {"label": _("For feed readers, unsigned"), "value": atom, "url": atom},
        {"label": _("They apply a patch by"), "value": command, "command": True},
        {"label": _("Webhooks"), "value": _("An administrator makes them, under Messages.")},
    ]


def _row(one: PatchSubscriber, ours: bool) -> list[Any]:
    hook = one.subscription
    told = _("webhook %(name)s") % {"name": hook.name} if hook and not hook.removed_at else _("the feed alone")
    return [
        {"text": one.name, "note": str(one.contact) if ours else ""}, one.model.name, told,
        {"text": one.public_key, "mono": True}, day(one.registered_at),
    ]  # fmt: skip


@require_POST
@staff(P.TELL_RECIPIENTS, decide=True)
def register(request: HttpRequest) -> HttpResponseBase:
    """Register a subscriber."""
    form = SubscriberForm(request.POST, auto_id="subscriber_%s")

    def do() -> str:
        made = service.subscriber_register(**form.cleaned_data, actor=Actor.of(request.user))
        return _("Registered: %(name)s.") % {"name": made.name}

    return perform(request, form, do, _page, "subscribers")


@require_POST
@staff(P.TELL_RECIPIENTS, decide=True)
def remove(request: HttpRequest, public_id: uuid.UUID) -> HttpResponseBase:
    """End a registration."""
    found = PatchSubscriber.objects.filter(public_id=public_id).first()
    if found is None:
        raise Http404

    def do() -> str:
        service.subscriber_remove(subscriber=found, actor=Actor.of(request.user))
        return _("The registration is ended; what was stated stays.")

    return perform(request, Nothing(request.POST), do, _page, "subscribers")
