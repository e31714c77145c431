"""The style guide: every component in every state, from fictitious values; `guide.html` beside it draws them all."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from governance.forms_renderer import CheckCards, ChoiceCards, DateField

TODAY = dt.date(2026, 11, 23)


class GuideForm(forms.Form):
    """One field of each kind."""

    proof = forms.ChoiceField(
        label=_("How can you show that the work is yours?"),
        help_text=_("One way is enough."),
        choices=[("mail", _("A link by e-mail")), ("site", _("Your own website"))],
        widget=ChoiceCards(
            notes={"mail": _("We write to you; you follow the link."), "site": _("You add one line to its settings.")},
            brings={"mail": _("Left out of all future training"), "site": _("Plus: trained models are changed")},
        ),
    )
    domain = forms.CharField(
        label=_("Your domain"), help_text=_("Without a path, for example halvorsen-studio.example")
    )
    mail = forms.EmailField(label=_("E-mail"))
    law = forms.ChoiceField(label=_("Law"), choices=[("gdpr", "GDPR Art. 17"), ("ccpa", "CCPA § 1798.105")])
    received = forms.DateField(label=_("Date of receipt"), widget=DateField)
    passage = forms.CharField(label=_("The passage"), widget=forms.Textarea(attrs={"rows": 3}), required=False)
    file = forms.FileField(label=_("A text file"), help_text=_("Plain text, at most 2 MB."), required=False)
    kinds = forms.MultipleChoiceField(
        label=_("What was copied"),
        choices=[("text", _("Text")), ("image", _("Pictures"))],
        widget=CheckCards(cards=False, notes={"text": _("Verses, prose, letters")}),
        required=False,
    )
    declared = forms.BooleanField(label=_("I declare that the work is mine, or that I act for its author."))


def _clock(received: tuple[int, int], due: tuple[int, int], tone: str = "running", **more: Any) -> dict[str, Any]:
    return {"received": dt.date(2026, *received), "due": dt.date(2026, *due), "today": TODAY, "tone": tone, **more}


def _estimate(name: str, value: float, low: float, high: float, n: int) -> dict[str, Any]:
    return {"name": name, "value": value, "low": low, "high": high, "n": n}


def _clocks() -> list[tuple[str, dict[str, Any], str, str]]:
    pause = ((dt.date(2026, 10, 28), dt.date(2026, 11, 1)),)
    return [
        ("Running", _clock((11, 2), (12, 2)), "waiting", "9 days"),
        ("At risk", _clock((10, 25), (11, 25), "at_risk"), "at_risk", "2 days"),
        ("Paused", _clock((10, 20), (12, 14), "paused", pauses=((dt.date(2026, 10, 30), TODAY),)), "paused", "paused"),
        ("With a pause behind it", _clock((10, 26), (11, 30), pauses=pause), "waiting", "7 days"),
        ("Missed", _clock((10, 20), (11, 20), "late"), "late", "3 days late"),
    ]


def _charts() -> list[dict[str, Any]]:
    weeks = [str(week) for week in range(36, 48)]
    return [
        {
            "id": "flow",
            "kind": "line",
            "title": "Requests per week",
            "x_label": "week",
            "labels": weeks,
            "csv_url": "#flow.csv",
            "sentence": "Closings have kept pace with arrivals since week 38.",
            "series": [
                {"name": "received", "data": [61, 57, 56, 49, 46, 48, 45, 51, 47, 44, 49, 43]},
                {"name": "closed", "data": [50, 52, 55, 53, 50, 47, 49, 50, 47, 46, 48, 45]},
                {"name": "extended", "data": [4, 6, 3, 5, 8, 6, 4, 7, 5, 3, 2, 4]},
                {"name": "refused", "data": [12, 9, 10, 14, 11, 12, 13, 9, 8, 10, 12, 11]},
            ],
        },
        {
            "id": "trade",
            "kind": "scatter",
            "title": "Forget quality against utility",
            "x_label": "utility kept, %",
            "y_label": "facts still known, %",
            "sentence": "Two of three runs forget and keep their skill.",
            "limit": 15,
            "series": [
                {"name": "approximate", "data": [{"x": 91, "y": 44}, {"x": 96, "y": 12}]},
                {"name": "exact", "data": [{"x": 99, "y": 4}]},
            ],
        },
        {
            "id": "closed",
            "kind": "bar",
            "title": "Cases closed, by outcome",
            "labels": ["Sep", "Oct", "Nov"],
            "x_label": "month",
            "sentence": "Most cases end fulfilled.",
            "series": [{"name": "fulfilled", "data": [41, 52, 47]}, {"name": "partly", "data": [3, 2, 4]}],
        },
    ]


_PROPOSAL = {
    "name": "Hanneke Okafor-Lind",
    "signed": True,
    "note": "First signature, 20 Nov, 16:12. Proposes: erase items 1 to 3.",
}
CONTEXT: dict[str, Any] = {
    "states": ["waiting", "paused", "working", "at_risk", "pass", "inconclusive", "fail", "decision"],
    "calendar": (dt.date(2026, 10, 12), dt.date(2026, 12, 16)),
    "today": TODAY,
    "clocks": _clocks(),
    "case_clock": _clock(
        (10, 26), (11, 30), extension=dt.date(2027, 1, 29), pauses=((dt.date(2026, 10, 28), dt.date(2026, 10, 31)),)
    ),
    "axis": {"low": 0, "high": 100, "step": 20, "unit": "%"},
    "narrow_axis": {"low": 90, "high": 100, "step": 2, "unit": "%"},
    "rows": [
        {
            "title": "Recites the exact words",
            "limit": 11,
            "reference": _estimate("", 1, 0.4, 2.5, 400),
            "estimates": [_estimate("plan 2", 1, 0.4, 2.5, 400), _estimate("plan 1", 1.2, 0.4, 2.9, 400)],
        },
        {
            "title": "Tells training text from unseen",
            "limit": 62,
            "reference": _estimate("", 52, 48, 56, 400),
            "estimates": [_estimate("plan 2", 51, 47, 55, 400), _estimate("plan 1", 63, 59.1, 66.9, 400)],
        },
        {
            "title": "Relearned on 80",
            "limit": 33,
            "reference": _estimate("", 23, 18.7, 27.9, 320),
            "estimates": [_estimate("plan 2", 22, 17.8, 26.9, 320), _estimate("plan 1", 97, 94.5, 98.4, 320)],
        },
    ],
    "utility_row": {
        "title": "Utility",
        "limit": 97,
        "reference": _estimate("", 99.1, 98.2, 99.6, 1200),
        "estimates": [_estimate("plan 2", 99, 98.1, 99.6, 1200)],
    },
    "figures": [
        {
            "label": "Open cases",
            "number": 214,
            "total": 214,
            "note": "7 fall due this week, 11 are paused",
            "parts": [("at_risk", 7), ("pass", 196), ("paused", 11)],
        },
        {
            "label": "Answered inside the clock, 90 days",
            "number": 611,
            "of": "of 613",
            "total": 613,
            "parts": [("pass", 611), ("late", 2)],
            "note": "Two late in September, both disclosed",
        },
        {
            "label": "Median time to an answer",
            "number": "6.4",
            "unit": "days",
            "note": "Nine in ten within 17 days; the law allows 30",
            "ruler": {"value": 6.4, "high": 30, "band": (2, 17), "limit": 30},
        },
        {
            "label": "Unlearning verified, this quarter",
            "number": 43,
            "of": "of 47",
            "total": 47,
            "parts": [("pass", 43), ("inconclusive", 2), ("working", 2)],
            "note": "2 recoverable and disclosed, 2 still running",
        },
    ],
    "entries": [
        {"kind": "open", "text": "Waiting for the second signature", "when": "since 20 Nov"},
        {
            "kind": "person",
            "actor": "H. Okafor-Lind",
            "text": "proposed to erase three items and refuse one",
            "when": "20 Nov, 16:12",
            "ledger": [{"text": "182 344"}],
        },
        {
            "kind": "machine",
            "actor": "Matching",
            "text": "found four records",
            "when": "18 Nov, 02:40",
            "ledger": [{"text": "181 907"}],
        },
    ],
    "steps": [
        {"status": "done", "what": "We received your request", "note": "2 November, by this form"},
        {
            "status": "now",
            "what": "The model is being changed",
            "note": "The first try hid the text but did not remove it.",
        },
        {"status": "next", "what": "You receive a signed report", "note": "By 2 December"},
    ],
    "signatures": [
        _PROPOSAL,
        {"signed": False, "state": "waiting for you", "note": "Second signature: Jonas Brandt, you"},
    ],
    "identity": [
        {"label": "Model before", "value": "sha256:" + "4c1977ae02d1" * 5 + "9be3", "digest": True},
        {"label": "Evidence", "value": "ledger 182 598", "mono": True},
        {"label": "Verdict", "value": "Pass", "state": "pass"},
    ],
    "left": {
        "title": "What the claimant sent",
        "note": "page printed on 25 Oct 2026",
        "text": "After the flood, [[name]] of [[street]] lost the workshop and spent the spring in a caravan.",
    },
    "right": {
        "title": "Training record",
        "code": "hw25-03/8f1c…e40a",
        "note": "fetched 11 Mar 2025",
        "text": "After the flood, [[name]] of [[street]] lost the workshop and was for months in a caravan.",
    },
    "charts": _charts(),
}


def guide_context() -> dict[str, Any]:
    """Values for `guide.html`."""
    return {
        **CONTEXT,
        "form_empty": GuideForm(auto_id="empty_%s"),
        "form_wrong": GuideForm(
            {"proof": "site", "mail": "not an address", "received": "2026-13-40"}, auto_id="wrong_%s"
        ),
    }
