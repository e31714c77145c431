"""What follows a case: appeal, complaint, works given free again; and cases that belong together. Forms and panels."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.forms_renderer import ChoiceCards
from governance.models import Case, CaseLink, Channel, Relation
from governance.policies import Actor
from governance.services import children
from governance.web.staff_forms import CaseForm, reason_field

NOTES = {
    Relation.APPEAL: gettext_lazy("The outcome is contested: somebody who did not decide decides again"),
    Relation.COMPLAINT: gettext_lazy("About how the request was handled"),
    Relation.RETURN: gettext_lazy("The works may serve to train again"),
}


class FollowForm(CaseForm):
    """What came by post or telephone about a case that has an answer."""

    relation = forms.ChoiceField(label=gettext_lazy("What came"), widget=ChoiceCards(cards=False))
    channel = forms.ChoiceField(
        label=gettext_lazy("How it came"),
        choices=[(c.value, c.label) for c in (Channel.POST, Channel.PHONE)],
        widget=ChoiceCards(cards=False),
        initial=Channel.POST,
    )
    reason = reason_field(gettext_lazy("What the claimant says"), gettext_lazy("In the claimant's own words; sealed."))

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        field = self.fields["relation"]
        offered = [(one.value, one.label) for one in children.follow_ups(case, claimant=False)]
        field.widget = ChoiceCards(cards=False, choices=offered, notes={r.value: note for r, note in NOTES.items()})
        field.choices = offered  # type: ignore[attr-defined]


class ContestForm(forms.Form):
    """The claimant's own words, on the private page."""

    reason = forms.CharField(
        label=gettext_lazy("Why?"),
        help_text=gettext_lazy("In your own words, at least one whole sentence."),
        max_length=children.MAX_REASON,
        min_length=children.MIN_REASON,
        widget=forms.Textarea(attrs={"rows": 6}),
        error_messages={"required": gettext_lazy("Write why, so that somebody can look into it.")},
    )


class LinkForm(CaseForm):
    """Another case that belongs to this one."""

    number = forms.CharField(label=gettext_lazy("Number of the other case"), max_length=16)
    why = forms.ChoiceField(label=gettext_lazy("What joins them"), choices=CaseLink.Why.choices)


def follow(case: Case, form: FollowForm, actor: Actor) -> str:
    """Open what follows."""
    data = form.cleaned_data
    child = children.case_follow(
        case=case, relation=Relation(data["relation"]), reason=data["reason"], actor=actor,
        channel=Channel(data["channel"]),
    )  # fmt: skip
    return _("Case %(number)s is open, with a clock of its own and nobody's yet.") % {"number": child.number}


def link(case: Case, form: LinkForm, actor: Actor) -> str:
    """Join two cases."""
    data = form.cleaned_data
    children.cases_link(case=case, number=data["number"], why=CaseLink.Why(data["why"]), actor=actor)
    return _("Linked. Neither case waits for the other.")


def give_back(case: Case, form: Any, actor: Actor) -> str:
    """First signature under giving back."""
    children.return_propose(case=case, actor=actor)
    return _("Signed. A second person now decides.")


def give_back_second(case: Case, form: Any, actor: Actor) -> str:
    """Second signature under giving back."""
    children.return_approve(case=case, actor=actor)
    return _("Given back. The claimant is being told.")


def relatives(case: Case) -> list[dict[str, Any]]:
    """Cases that follow this one, that it follows, and that are linked with it: what and which."""
    found: list[dict[str, Any]] = []
    if case.parent is not None:
        found.append({"what": _("Follows (%(what)s)") % {"what": case.get_relation_display()}, "case": case.parent})
    for child in case.children.order_by("pk"):
        found.append({"what": _("Followed by (%(what)s)") % {"what": child.get_relation_display()}, "case": child})
    for one in CaseLink.objects.filter(case=case).select_related("other"):
        found.append({"what": one.get_why_display(), "case": one.other})
    for one in CaseLink.objects.filter(other=case).select_related("case"):
        found.append({"what": one.get_why_display(), "case": one.case})
    return found
