"""The pages of each kind of request, in their order: one group of questions a page, then a look at the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from governance.models import Kind
from governance.web.forms import PersonForm
from governance.web.kind_forms import FactsForm, LawForm, PassagesForm, SituationForm, StatementsForm
from governance.web.work_forms import WorksForm

CHECK = "check"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One page: its part of the address, its question, the sentence below, and how its form is made."""

    name: str
    title: Any
    lead: Any
    form: Callable[..., Any]
    template: str = "claimant/step.html"
    head: Any = ""


def _who(lead: Any) -> Step:
    return Step(name="who", title=_("Who asks?"), lead=lead, form=PersonForm, head=_("Who asks"))


_LAW = Step(
    name="law",
    title=_("Which law applies?"),
    lead=_("You need not know the law. We name what it grants you and keep its date."),
    form=LawForm,
    head=_("Law"),
)
_ONLY_NEEDED = _("We ask for nothing but a name and an address to write to. You need no account.")
_NO_PAPERS = _("Send no documents: if we must know who you are, we ask, and destroy the proof after the check.")


def _facts(title: Any, lead: Any) -> Step:
    return Step(name="facts", title=title, lead=lead, form=FactsForm, head=_("The facts"))


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One kind of request: its name, its pages, and the words on its last button."""

    title: Any
    steps: tuple[Step, ...]
    send: Any

    def step(self, name: str) -> Step | None:
        """The page of this name."""
        return next((step for step in self.steps if step.name == name), None)

    def number(self, name: str) -> int:
        """The place of a page; the look at the whole comes last."""
        names = [step.name for step in self.steps]
        return names.index(name) + 1 if name in names else len(names) + 1

    def after(self, name: str) -> str:
        """The page that follows."""
        names = [*(step.name for step in self.steps), CHECK]
        return names[min(names.index(name) + 1, len(names) - 1)]

    def before(self, name: str) -> str:
        """The page before; empty for the first."""
        names = [*(step.name for step in self.steps), CHECK]
        return names[names.index(name) - 1] if names.index(name) else ""


FLOWS: Mapping[Kind, Flow] = MappingProxyType(
    {
        Kind.COPYRIGHT: Flow(
            title=_("Copyright opt-out"),
            steps=(
                _who(_ONLY_NEEDED),
                Step(
                    name="works",
                    title=_("Which works should we leave out?"),
                    lead=_("Choose whichever way suits you. A few passages are enough to find the rest."),
                    form=WorksForm,
                    template="claimant/works.html",
                    head=_("Your works"),
                ),
            ),
            send=_("File the opt-out"),
        ),
        Kind.PRIVACY: Flow(
            title=_("Privacy request"),
            steps=(
                _who(_NO_PAPERS),
                _facts(
                    _("What should the model no longer know?"),
                    _("Name the facts in your own words. You never need to prove that a model knows them."),
                ),
                _LAW,
            ),
            send=_("File the request"),
        ),
        Kind.OBJECTION: Flow(
            title=_("Objection"),
            steps=(
                _who(_NO_PAPERS),
                _facts(
                    _("Which data should we stop using?"),
                    _("You may object where we rely on our own interests (GDPR Art. 21)."),
                ),
                Step(
                    name="situation",
                    title=_("Why do you object?"),
                    lead=_("A person reads this and weighs it against our interests."),
                    form=SituationForm,
                    head=_("Your situation"),
                ),
                _LAW,
            ),
            send=_("File the objection"),
        ),
        Kind.SAFETY: Flow(
            title=_("Unsafe or toxic content"),
            steps=(
                _who(_ONLY_NEEDED),
                Step(
                    name="passages",
                    title=_("What did the model say that it should not?"),
                    lead=_("Copy what it said. You need not prove anything; we test the model ourselves."),
                    form=PassagesForm,
                    head=_("What it said"),
                ),
            ),
            send=_("Send the report"),
        ),
        Kind.CORRECTION: Flow(
            title=_("Correction"),
            steps=(
                _who(_NO_PAPERS),
                Step(
                    name="statements",
                    title=_("What does the model get wrong?"),
                    lead=_("Write the statement as the model gives it, and below it what is right."),
                    form=StatementsForm,
                    head=_("The statements"),
                ),
                _LAW,
            ),
            send=_("File the correction"),
        ),
    }
)


def form_for(step: Step, kind: Kind, *args: Any, **kwargs: Any) -> forms.Form:
    """The form of a page."""
    more = {"kind": kind} if step.name in {"who", "law"} else {}
    made: forms.Form = step.form(*args, **more, **kwargs)
    return made
