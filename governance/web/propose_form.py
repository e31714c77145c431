"""First signature: one choice for all hits, and per hit what differs: choice, ground, exception, reason."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.forms_renderer import ChoiceCards
from governance.models import Case, Decision
from governance.services import codes
from governance.services.decision import Proposal
from governance.validators import number_in
from governance.web.staff_forms import REASON_LENGTH, ShownForm, reason_field

#: Prefixes of a hit's own fields; the hit's id follows.
OWN = ("hit", "ground", "code", "why")
_NOTES = {
    "erase": gettext_lazy("Changes the weights of every model trained on them"),
    "exclude": gettext_lazy("Trained models stay as they are"),
    "refuse": gettext_lazy("The records stay, the claimant reads why"),
}


class ProposeForm(ShownForm):
    """Codes and reasons of the law; a hit's own fields are `hit_<id>`, `ground_<id>`, `code_<id>` and `why_<id>`."""

    choice = forms.ChoiceField(
        label=gettext_lazy("For all hits"),
        choices=Decision.Choice.choices,
        initial=Decision.Choice.ERASE,
        widget=ChoiceCards(cards=False, notes=_NOTES),
    )
    ground = forms.ChoiceField(label=gettext_lazy("Ground"))
    exception = forms.ChoiceField(
        label=gettext_lazy("What stands against erasure"),
        help_text=gettext_lazy("For every hit that is refused and has no code of its own."),
        required=False,
    )
    reason = reason_field(
        gettext_lazy("Reasons, in your own words"),
        gettext_lazy("Needed for every hit that is not erased. The claimant reads them."),
        required=False,
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        self.grounds = codes.grounds(case)
        self.against = {one.code: one for one in codes.exceptions(case)}
        self.fields["ground"].choices = self.grounds  # type: ignore[attr-defined]
        self.fields["ground"].initial = self.grounds[0][0]
        self.fields["exception"].choices = [("", _("nothing")), *self.exceptions()]  # type: ignore[attr-defined]

    def exceptions(self) -> list[tuple[str, str]]:
        """Codes with their words."""
        return [(code, f"{one.citation}: {one.words}") for code, one in self.against.items()]

    def sent(self) -> dict[str, str]:
        """A hit's own fields as they were sent, for the page that comes back with errors."""
        return {
            name: str(value)
            for name, value in self.data.items()
            if value and name.partition("_")[0] in OWN and number_in(name.partition("_")[2]) is not None
        }

    def own(self) -> dict[int, dict[str, str]]:
        """Match id -> what was said about it alone.

        Raises:
            ValidationError: a value that is no choice, ground or code of this case.
        """
        allowed: dict[str, set[str]] = {
            "hit": set(Decision.Choice.values),
            "ground": {kept for kept, _words in self.grounds},
            "code": set(self.against),
        }
        found: dict[int, dict[str, str]] = {}
        for name, value in self.sent().items():
            prefix, _sep, pk = name.partition("_")
            if prefix == "why" and (len(value) > REASON_LENGTH or "\x00" in value):
                raise ValidationError(_("A reason holds at most %(n)d characters of text.") % {"n": REASON_LENGTH})
            if prefix in allowed and value not in allowed[prefix]:
                raise ValidationError(_("“%(value)s” is no decision of this case.") % {"value": value[:20]})
            found.setdefault(int(pk), {})[prefix] = value
        return found

    def clean(self) -> dict[str, Any]:
        """What differs goes with the rest; a refusal names what stands against erasure."""
        data = super().clean() or {}
        data["own"] = self.own()
        if not self.errors and any(
            p.choice == Decision.Choice.REFUSE and not p.exception for p in self._proposals(data).values()
        ):
            self.add_error("exception", _("Choose what stands against erasure, here or at each hit that is refused."))
        return data

    def proposals(self) -> dict[int, Proposal]:
        """A proposal per hit of the case."""
        return self._proposals(self.cleaned_data)

    def _proposals(self, data: dict[str, Any]) -> dict[int, Proposal]:
        own = data["own"]
        pks = [*self.case.matches.values_list("pk", flat=True), *(pk for pk in own if "hit" in own[pk])]
        return {pk: self._proposal(data, own.get(pk, {})) for pk in dict.fromkeys(pks)}

    def _proposal(self, data: dict[str, Any], own: dict[str, str]) -> Proposal:
        choice = Decision.Choice(own.get("hit") or data["choice"])
        reason = own.get("why") or data["reason"]
        if choice == Decision.Choice.ERASE:
            return Proposal(choice=choice, ground=own.get("ground") or data["ground"], reason=reason)
        code = own.get("code") or data["exception"]
        ground = self.against[code].citation if code else own.get("ground") or data["ground"]
        return Proposal(choice=choice, ground=ground, reason=reason, exception=code)
