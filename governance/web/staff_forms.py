"""Forms of the staff. Each knows its case, so that it offers only what this case and its law allow."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.clocks import LAWS, place_of
from governance.errors import Unfit
from governance.forms_renderer import ChoiceCards, DateField
from governance.kinds import rule
from governance.models import Case, Channel, Deployment, Kind, Plan, Proof, Status
from governance.services.intake import MAX_TEXT, Item
from governance.validators import NAME_LENGTH, TITLE_LENGTH, no_nul, one_line

REASON_LENGTH = 4000
#: Code of the error of a form whose case changed before its answer came.
CHANGED = "changed"


def reason_field(label: Any, hint: Any = "", *, required: bool = True, rows: int = 4) -> forms.CharField:
    """A text in somebody's own words."""
    return forms.CharField(
        label=label, help_text=hint, required=required, max_length=REASON_LENGTH, validators=[no_nul],
        widget=forms.Textarea(attrs={"rows": rows}),
    )  # fmt: skip


PLACE_HINT = gettext_lazy("Country and subdivision, for example IE or DE-BY. Empty: where the house is.")


def clean_place(text: str) -> str:
    """A place as it was written, if it exists.

    Raises:
        ValidationError: a country or subdivision that is not known.
    """
    try:
        return str(place_of(text)) if text.strip() else ""
    except Unfit as error:
        raise ValidationError(list(error.messages)) from error


class CaseForm(forms.Form):
    """A form about one case."""

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.case = case


class ShownForm(CaseForm):
    """An answer to what others proposed: the mark of what this person was shown comes back with it."""

    shown = forms.CharField(widget=forms.HiddenInput, required=False)

    def show(self, mark: str) -> None:
        """What stands on the page now; a form that comes back keeps its mark until somebody was told of the change."""
        self.initial["shown"] = mark
        if self.has_error(NON_FIELD_ERRORS, CHANGED):
            self.data = {**self.data, "shown": mark}


class ConfirmForm(CaseForm):
    """Nothing to fill in: the button says it all."""


class RefuseForm(CaseForm):
    """Why what somebody else signed first is refused."""

    reason = reason_field(gettext_lazy("Why not"), gettext_lazy("Stands in the ledger: name nobody."), rows=3)


class ProofForm(CaseForm):
    """What was shown, at which level, and whether that is enough."""

    level = forms.TypedChoiceField(
        label=gettext_lazy("What was shown"),
        choices=[("", gettext_lazy("nothing new")), *((n, f"P{n}: {label}") for n, label in Proof.Level.choices)],
        coerce=int,
        empty_value=None,
        required=False,
    )
    note = reason_field(
        gettext_lazy("How it was checked"),
        gettext_lazy("Where you looked and what you saw. Sealed under the claimant's key."),
        required=False,
        rows=3,
    )
    then = forms.ChoiceField(
        label=gettext_lazy("Then"),
        choices=[("accept", gettext_lazy("Accept: on to review")), ("stay", gettext_lazy("Record only"))],
        widget=ChoiceCards(cards=False),
        initial="accept",
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        if case.status not in (Status.PROOF, Status.RECEIVED):
            del self.fields["then"]

    def clean(self) -> dict[str, Any]:
        """Something is recorded or accepted."""
        data = super().clean() or {}
        if not data.get("level") and data.get("then") != "accept":
            self.add_error("level", _("Choose what was shown, or accept what is recorded."))
        if data.get("level") and not (data.get("note") or "").strip():
            self.add_error("note", _("Write what was shown and how it was checked."))
        return data


def pause_words(case: Case) -> str:
    """What the law of the case says about a pause for identity: where it stands, or that there is none."""
    rule = LAWS[case.law].rule_on(case.received_on, case.relation)
    stop = rule.stop_for(case.kind, "identity")
    return stop.article if stop else rule.restarts or rule.no_stop or rule.citation


class ReviewForm(CaseForm):
    """Admissible, not admissible, or a question first."""

    choice = forms.ChoiceField(label=gettext_lazy("Is the request admissible?"), widget=ChoiceCards(cards=False))
    text = reason_field(
        gettext_lazy("Reasons or question, in your own words"),
        gettext_lazy("The claimant reads this."),
        required=False,
    )
    pauses_clock = forms.BooleanField(
        label=gettext_lazy("Identity is in doubt: the clock pauses until the answer"), required=False
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        notes = {
            "admit": _("The works are looked for in every training dataset"),
            "refuse": _("The claimant is told the reasons and where to complain"),
            "ask": _("The case waits for the answer"),
        }
        labels = [("admit", _("Admissible")), ("refuse", _("Not admissible")), ("ask", _("Ask the claimant first"))]
        choices = labels if case.status == Status.REVIEW else labels[2:]
        field = self.fields["choice"]
        field.widget = ChoiceCards(cards=False, choices=choices, notes=notes)
        field.choices = choices  # type: ignore[attr-defined]
        field.initial = choices[0][0]
        self.fields["pauses_clock"].help_text = pause_words(case)

    def clean(self) -> dict[str, Any]:
        """A refusal has reasons and a question is written out."""
        data = super().clean() or {}
        if data.get("choice") in ("refuse", "ask") and not (data.get("text") or "").strip():
            self.add_error("text", _("Write the reasons, or the question: the claimant reads them."))
        return data


class SecondForm(ShownForm):
    """A second signature, or back to whoever signed first, with the reason."""

    choice = forms.ChoiceField(label="", choices=())
    reason = reason_field(
        gettext_lazy("Why it goes back"), gettext_lazy("Stands in the ledger: name nobody."), required=False, rows=3
    )

    def clean(self) -> dict[str, Any]:
        """Whoever returns says why."""
        data = super().clean() or {}
        if data.get("choice") == "return" and not (data.get("reason") or "").strip():
            self.add_error("reason", _("Write why it goes back."))
        return data


class ConfirmPlanForm(SecondForm):
    """Second signature under a plan."""

    choice = forms.ChoiceField(
        label=gettext_lazy("Your decision on the plan"),
        choices=[("approve", gettext_lazy("Confirm as signed")), ("return", gettext_lazy("Return to the engineer"))],
        initial="approve",
        widget=ChoiceCards(
            cards=False,
            notes={
                "approve": gettext_lazy("Its thresholds are fixed and the run is queued"),
                "return": gettext_lazy("The signature is void; the history keeps why"),
            },
        ),
    )


class ApproveForm(SecondForm):
    """Second signature under a decision."""

    choice = forms.ChoiceField(
        label=gettext_lazy("Your decision on the proposal"),
        choices=[
            ("approve", gettext_lazy("Approve as proposed")),
            ("return", gettext_lazy("Return to the first reviewer")),
        ],
        initial="approve",
        widget=ChoiceCards(
            cards=False,
            notes={
                "approve": gettext_lazy("Records to be erased or left out leave the training catalogue at once"),
                "return": gettext_lazy("The proposal is removed; the history keeps why"),
            },
        ),
    )


class PlanForm(CaseForm):
    """The engineer's signature under a plan; another way than the proposed one is chosen with a reason."""

    method = forms.ChoiceField(
        label=gettext_lazy("Way"),
        help_text=gettext_lazy("In the planner's order. The tab says what each takes and risks."),
        required=False,
    )
    reason = reason_field(
        gettext_lazy("Reason, if it is another way than the proposed one"),
        gettext_lazy("Entered in the ledger; write nothing about a person."),
        required=False,
        rows=3,
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        plan = case.plans.filter(state=Plan.State.PROPOSED).last()
        ways = plan.ranking.get("candidates", []) if plan else []
        self.proposed = plan.method if plan else ""
        if len(ways) < 2:
            del self.fields["method"], self.fields["reason"]
            return
        field = self.fields["method"]
        field.choices = [(way["method"], way["title"]) for way in ways]  # type: ignore[attr-defined]
        field.initial = self.proposed

    def clean(self) -> dict[str, Any]:
        """Whoever goes another way says why."""
        data = super().clean() or {}
        other = data.get("method") and data["method"] != self.proposed
        if other and not (data.get("reason") or "").strip():
            self.add_error("reason", _("Write why you choose another way than the proposed one."))
        return data


class PlaceForm(CaseForm):
    """What is known of one place."""

    place = forms.ModelChoiceField(queryset=Deployment.objects.none(), widget=forms.HiddenInput)
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        choices=[c for c in Deployment.State.choices if c[0] != Deployment.State.SERVING],
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        bases = case.plans.values("base")
        self.fields["place"].queryset = Deployment.objects.filter(version__in=bases)  # type: ignore[attr-defined]


class ExtendForm(CaseForm):
    """Why more time is needed."""

    reasons = reason_field(gettext_lazy("Reasons"), gettext_lazy("The claimant is told at once and reads them."))


class WithdrawForm(CaseForm):
    """The claimant took the request back, by letter or by telephone."""

    sure = forms.BooleanField(label=gettext_lazy("The claimant said so, and knows that nothing more will be done"))


class NewCaseForm(forms.Form):
    """A request that came by post or by telephone."""

    channel = forms.ChoiceField(
        label=gettext_lazy("How it came"),
        choices=[(c.value, c.label) for c in (Channel.POST, Channel.PHONE)],
        widget=ChoiceCards(cards=False),
        initial=Channel.POST,
    )
    received_on = forms.DateField(
        label=gettext_lazy("Date of receipt"),
        help_text=gettext_lazy("The day on which it reached the house. The clock runs from there."),
        widget=DateField,
    )
    asked = forms.ChoiceField(label=gettext_lazy("What is asked"), choices=Kind.choices)
    law = forms.ChoiceField(
        label=gettext_lazy("Under which law"),
        choices=[(law.code, f"{law.title} ({law.article.split(';')[0]})") for law in LAWS.values()],
    )
    place = forms.CharField(
        label=gettext_lazy("Whose public holidays count"), help_text=PLACE_HINT, required=False, max_length=24
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=NAME_LENGTH, validators=[one_line])
    email = forms.EmailField(label=gettext_lazy("E-mail address"), help_text=gettext_lazy("Where the answer goes."))
    title = forms.CharField(
        label=gettext_lazy("Title of the work, or kind of the fact"), max_length=TITLE_LENGTH, validators=[one_line]
    )
    text = forms.CharField(
        label=gettext_lazy("The works or facts"),
        help_text=gettext_lazy(
            "As they were sent. A line with only --- begins the next one; in a correction, what is right follows =>"
        ),
        max_length=MAX_TEXT,
        strip=False,
        validators=[no_nul],
        widget=forms.Textarea(attrs={"rows": 8}),
    )

    def clean_place(self) -> str:
        """A place that is known, or none."""
        return clean_place(self.cleaned_data["place"])

    def clean_received_on(self) -> Any:
        """Not in the future."""
        day = self.cleaned_data["received_on"]
        if day > timezone.localdate():
            raise ValidationError(_("The date of receipt lies in the future."))
        return day

    def kind(self) -> Kind:
        """What is asked."""
        return Kind(self.cleaned_data["asked"])

    def items(self) -> list[Item]:
        """The works or facts, one each."""
        form = rule(self.kind()).form
        parts = [part.strip() for part in self.cleaned_data["text"].replace("\r\n", "\n").split("\n---\n")]
        whole = [part for part in parts if part]
        name = self.cleaned_data["title"]
        titles = [name] if len(whole) == 1 else [f"{name} {n}" for n, _part in enumerate(whole, 1)]
        pairs = [part.partition("=>") if self.kind() is Kind.CORRECTION else (part, "", "") for part in whole]
        return [
            Item(form=form, title=title, text=text.strip(), replacement=right.strip())
            for title, (text, _sign, right) in zip(titles, pairs, strict=True)
        ]
