"""What staff do about proofs: judge what no machine can, refuse one that was recorded, doubt who asks; and the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from governance.forms_renderer import ChoiceCards
from governance.kinds import rule
from governance.models import Case, Challenge, Proof, Status
from governance.policies import Actor, Permission, may
from governance.services import doubts, proofs
from governance.web.staff_forms import CaseForm, reason_field

M, State = Challenge.Method, Challenge.State
_JUDGED = (State.WAITING, State.OPEN)


def _awaiting(case: Case) -> list[Challenge]:
    """What waits for a person: what was handed in, and channels that a code may be sent through."""
    rows = case.challenges.filter(state__in=_JUDGED).order_by("id")
    return [one for one in rows if one.state == State.WAITING or (one.method == M.CHANNEL and not one.is_late)]


class JudgeForm(CaseForm):
    """Accept or refuse, with what it was compared with."""

    challenge = forms.ModelChoiceField(
        label=gettext_lazy("What was handed in"), queryset=Challenge.objects.none(), empty_label=None
    )
    choice = forms.ChoiceField(
        label=gettext_lazy("Does it show what it should?"),
        choices=[("accept", gettext_lazy("Accept")), ("refuse", gettext_lazy("Do not accept"))],
        widget=ChoiceCards(cards=False),
    )
    reason = reason_field(
        gettext_lazy("How you checked it, or why not"), gettext_lazy("Sealed under the claimant's key."), rows=3
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        field: Any = self.fields["challenge"]
        field.queryset = case.challenges.filter(pk__in=[one.pk for one in _awaiting(case)])
        field.label_from_instance = lambda one: f"P{one.level}: {one.get_method_display()}"


def counting(case: Case) -> list[Proof]:
    """The proofs that nobody refused, from those that were fetched with the case where they were."""
    return [one for one in case.proofs.all() if one.refused_at is None]


class RefuseForm(CaseForm):
    """A recorded proof that does not count."""

    proof = forms.ModelChoiceField(label=gettext_lazy("Proof"), queryset=Proof.objects.none(), empty_label=None)
    reason = reason_field(
        gettext_lazy("Why it does not count"), gettext_lazy("It stays in the file with this reason, sealed."), rows=3
    )

    def __init__(self, case: Case, *args: Any, **kwargs: Any) -> None:
        super().__init__(case, *args, **kwargs)
        field: Any = self.fields["proof"]
        field.queryset = case.proofs.counting()
        # Named once: the page that holds this form has the proofs already, and a field would ask anew for each look.
        field.choices = [(one.pk, f"P{one.level}: {one.get_level_display()}") for one in counting(case)]


class DoubtForm(CaseForm):
    """What gives rise to doubt."""

    reason = reason_field(
        gettext_lazy("What gives rise to the doubt"),
        gettext_lazy("A fact of this case, not a habit: routine demands for identity papers are not allowed. "
                     "The claimant reads it."),
        rows=3,
    )  # fmt: skip
    pauses_clock = forms.BooleanField(
        label=gettext_lazy("The clock pauses until the answer, where the law allows it"), required=False
    )


class DoubtEndForm(CaseForm):
    """What the look at the document came to."""

    choice = forms.ChoiceField(
        label=gettext_lazy("Is the doubt settled?"),
        choices=[("yes", gettext_lazy("Yes: it is the claimant")), ("no", gettext_lazy("No, the doubt remains"))],
        widget=ChoiceCards(cards=False),
    )
    note = reason_field(
        gettext_lazy("What you saw"), gettext_lazy("Not what stands in the document: it is deleted now."), rows=3
    )


def judge(case: Case, form: JudgeForm, actor: Actor) -> str:
    """Accept or refuse what was handed in."""
    data = form.cleaned_data
    accept = data["choice"] == "accept"
    proofs.challenge_judge(challenge=data["challenge"], accept=accept, reason=data["reason"], actor=actor)
    return _("Accepted and recorded.") if accept else _("Not accepted.")


def refuse(case: Case, form: RefuseForm, actor: Actor) -> str:
    """A proof counts no more."""
    proofs.proof_refuse(proof=form.cleaned_data["proof"], reason=form.cleaned_data["reason"], actor=actor)
    return _("The proof counts no more; it stays in the file.")


def doubt(case: Case, form: DoubtForm, actor: Actor) -> str:
    """Raise a doubt."""
    data = form.cleaned_data
    doubts.doubt_record(case=case, reason=data["reason"], pauses_clock=data["pauses_clock"], actor=actor)
    return _("The doubt is recorded, and the claimant is being told what answers it.")


def doubt_end(case: Case, form: DoubtEndForm, actor: Actor) -> str:
    """Settle a doubt."""
    data = form.cleaned_data
    doubts.doubt_settle(case=case, dispelled=data["choice"] == "yes", note=data["note"], actor=actor)
    return _("Settled. The document is deleted.")


ACTIONS: Mapping[str, tuple[type[CaseForm], Any]] = MappingProxyType(
    {
        "judge": (JudgeForm, judge),
        "refuse_proof": (RefuseForm, refuse),
        "doubt": (DoubtForm, doubt),
        "doubt_end": (DoubtEndForm, doubt_end),
    }
)
_BEFORE_DECIDED = (Status.PROOF, Status.REVIEW, Status.INFORMATION, Status.MATCHING, Status.DECISION)


def offered(case: Case) -> Iterator[tuple[str, str, str, str]]:
    """Name, title, note and button of what can be done now."""
    if _awaiting(case):
        note = _("What was handed in, and a code to be sent, stand under Proof.")
        yield "judge", _("Judge a proof"), note, _("Record")
    if case.status in _BEFORE_DECIDED:
        yield "refuse_proof", _("Refuse a proof"), "", _("Refuse")
    if rule(case.kind).personal and doubts.open_doubt(case):
        yield "doubt_end", _("Settle the doubt"), _("The document is among the files."), _("Settle and delete")
    elif rule(case.kind).personal and case.status in (Status.PROOF, Status.REVIEW):
        note = _("Only a doubt with a reason lets the claimant send a document.")
        yield "doubt", _("Doubt who asks"), note, _("Record the doubt")


def told(proof: Proof, reads: bool) -> Any:
    """How a proof was checked, and that it was refused, where it was."""
    text = (proof.note if reads else _("sealed")) if proof.__dict__["note"] else ""
    if proof.refused_at is None:
        return {"text": text}
    return {"text": text, "note": _("Refused: %(why)s") % {"why": proof.refusal if reads else _("sealed")}}


def pending(case: Case, actor: Actor) -> Iterator[tuple[Any, Any, str, Any]]:
    """Rows of what is no proof yet, or did not become one. The code of a channel is shown to who may send it."""
    reads = may(actor, Permission.REVEAL_PERSON)
    for one in case.challenges.filter(proof=None).order_by("id"):
        words = proofs.evidence_words(one) if reads else _("sealed")
        if reads and one.method == M.CHANNEL and one.state == State.OPEN and may(actor, Permission.RECORD_PROOF):
            ask = _("If you knew this channel before the request, send this code through it: %(code)s")
            words = f"{words} {ask % {'code': one.code}}"
        state = {"text": f"P{one.level}", "strong": True, "note": one.get_state_display()}
        yield state, {"text": words}, _("the claimant"), one.created_at
