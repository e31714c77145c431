"""What unlearning can and cannot do, in plain words: for everybody who thinks of filing, or holds a report."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from governance.glossary import TERMS
from governance.web import media_words

CAN = (
    _("Leave your works or data out of future training. This is possible for every kind of model."),
    _("Change a model that learned from them, so that it no longer repeats them or acts on them."),
    _("Train again without them, wholly or in part. Only this removes their influence exactly; the report says so."),
    _("Test the changed model, also under attack, and give you a signed report that a stranger can check."),
)
CANNOT = (
    _("That every trace is gone. Most methods are approximate: a new attack may find what our tests did not."),
    _("That copies disappear. We cannot change models that others downloaded or built, nor other websites."),
    _("That the model never says something similar. Known facts and styles can come from other texts."),
    _("That everything else stays as good. A change can cost the model some of what it knows; we measure that too."),
)
QUESTIONS = (
    (_("Does it cost anything?"), _("No. You need no account and no lawyer.")),
    (
        _("Must I prove that the model knows my work?"),
        _("No. You show that the work is yours, or that you are the person. We look for the rest."),
    ),
    (
        _("How long does it take?"),
        _("Your receipt and your private page name the last day for our answer, and the law that sets it."),
    ),
    (
        _("What if the tests fail?"),
        _("Then we try another way, or tell you plainly that it did not work. A report says no more than its tests."),
    ),
    (
        _("Can I check the report myself?"),
        _("Yes. Upload it on this site, or check it without us with a small program that anybody can read."),
    ),
    (
        _("Can I send a notice under the DMCA?"),
        _(
            "Such a notice (17 U.S.C. 512) asks a host to take down what one of its users stored. Training data and "
            "models are hardly that, so there is no form for it here. File an opt-out: it reaches both, and asks for a "
            "declaration, not an oath. Where a website shows your work, its host takes such notices."
        ),
    ),  # fmt: skip
)


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """One page, no form."""
    words = {"can": CAN, "cannot": CANNOT, "terms": TERMS, "questions": QUESTIONS}
    return render(request, "claimant/about.html", {**words, "media": media_words.rows()})
