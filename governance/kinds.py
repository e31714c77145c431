"""What distinguishes one kind of request from another: one table, asked by forms, rules, wording and pages.

Grounds and exceptions are codes, decided per hit and never per case: a code can be counted, translated and checked
against the law; the officer's own words stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from governance.models import ClaimedItem, Kind


@dataclass(frozen=True, kw_only=True)
class Code:
    """A ground or an exception: its code, its words, and where it is written; `laws` empty means under any law."""

    code: str
    words: Any
    citation: str
    laws: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class KindRule:
    """One kind of request.

    `personal`: what is named is personal data, so that hits are masked. `weights_levels`: proofs (P1 to P5) that unlock
    a change of weights (`law.md`). `asked`: what the report says was asked, in English as the rest of it.
    """

    personal: bool
    form: ClaimedItem.Form
    weights_levels: frozenset[int]
    title: Any
    counted: Any
    asked: str
    proof_ahead: Any
    proof_done: Any
    grounds: tuple[Code, ...]
    exceptions: tuple[Code, ...]


def _code(code: str, words: Any, citation: str, *laws: str) -> Code:
    return Code(code=code, words=words, citation=citation, laws=frozenset(laws))


_EU = ("gdpr", "uk_gdpr")
_SHOW_YOU = _("What shows that it is you"), _("You showed that it is you who asks")
_SHOW_WORKS = _("What shows that the works are yours"), _("You showed that the works are yours")
_READ = _("What shows whom we answer"), _("You showed whom we answer")

#: GDPR Art. 17(3)(a) to (e), the same letters in the UK GDPR; other laws name exceptions of their own.
_ERASURE_EXCEPTIONS = (
    _code("17_3_a", _("freedom of expression and information"), "GDPR Art. 17(3)(a)", *_EU),
    _code("17_3_b", _("a legal duty, or a task in the public interest"), "GDPR Art. 17(3)(b)", *_EU),
    _code("17_3_c", _("public health"), "GDPR Art. 17(3)(c)", *_EU),
    _code("17_3_d", _("archiving, research or statistics that erasure would defeat"), "GDPR Art. 17(3)(d)", *_EU),
    _code("17_3_e", _("legal claims"), "GDPR Art. 17(3)(e)", *_EU),
    _code("ccpa_105_d", _("an exception of the Californian act"), "Cal. Civ. Code § 1798.105(d)", "ccpa"),
    _code("lgpd_16", _("retention that the Brazilian act allows"), "LGPD Art. 16", "lgpd"),
    _code(
        "state_law", _("an exception of the state's act"), "Va. Code § 59.1-582; C.R.S. § 6-1-1304", "us_va", "us_co"
    ),
    _code("not_the_person", _("the record is about somebody else"), "outside of the request"),
)
_ERASURE_GROUNDS = (
    _code("17_1_a", _("no longer necessary"), "GDPR Art. 17(1)(a)", *_EU),
    _code("17_1_b", _("consent withdrawn"), "GDPR Art. 17(1)(b)", *_EU),
    _code("17_1_c", _("objection upheld"), "GDPR Art. 17(1)(c)", *_EU),
    _code("17_1_d", _("processed unlawfully"), "GDPR Art. 17(1)(d)", *_EU),
    _code("17_1_e", _("a law demands erasure"), "GDPR Art. 17(1)(e)", *_EU),
    _code("17_1_f", _("collected from a child"), "GDPR Art. 17(1)(f)", *_EU),
    _code("ccpa_105_a", _("the right to delete"), "Cal. Civ. Code § 1798.105(a)", "ccpa"),
    _code("lgpd_18_vi", _("elimination of data processed by consent"), "LGPD Art. 18, VI", "lgpd"),
    _code("va_577", _("the right to delete"), "Va. Code § 59.1-577(A)(3)", "us_va"),
    _code("co_1306", _("the right to delete"), "C.R.S. § 6-1-1306(1)(d)", "us_co"),
    _code("quebec_28", _("personal information collected without authority"), "CQLR c. P-39.1, s. 28", "quebec"),
)

KINDS: Mapping[Kind, KindRule] = MappingProxyType(
    {
        Kind.COPYRIGHT: KindRule(
            personal=False,
            form=ClaimedItem.Form.TEXT,
            weights_levels=frozenset({3, 4}),
            title=_("Copyright opt-out by an artist"),
            counted=ngettext_lazy("Opt-out, %(n)d work", "Opt-out, %(n)d works", "n"),
            asked="That the named works no longer serve to train models, and that trained models forget them.",
            proof_ahead=_SHOW_WORKS[0],
            proof_done=_SHOW_WORKS[1],
            grounds=(
                _code("policy", _("the company's policy on opt-outs"), "Company policy on opt-outs"),
                _code("dsm_4_3", _("rights reserved before the work was taken"), "Directive (EU) 2019/790 Art. 4(3)"),
            ),
            exceptions=(
                _code("licensed", _("used under a licence"), "licence on file"),
                _code("not_the_work", _("the record is not the work"), "outside of the request"),
                _code("free", _("the work is in the public domain"), "Directive (EU) 2019/790 Art. 14"),
                _code("not_holder", _("the rights are held by somebody else"), "outside of the request"),
            ),
        ),
        Kind.PRIVACY: KindRule(
            personal=True,
            form=ClaimedItem.Form.FACT,
            weights_levels=frozenset({5}),
            title=_("Erasure request by a private person"),
            counted=ngettext_lazy("Erasure, %(n)d fact", "Erasure, %(n)d facts", "n"),
            asked="That the personal data named in the request be erased, from training data and from trained models.",
            proof_ahead=_SHOW_YOU[0],
            proof_done=_SHOW_YOU[1],
            grounds=_ERASURE_GROUNDS,
            exceptions=_ERASURE_EXCEPTIONS,
        ),
        Kind.OBJECTION: KindRule(
            personal=True,
            form=ClaimedItem.Form.FACT,
            weights_levels=frozenset({5}),
            title=_("Objection of a private person"),
            counted=ngettext_lazy("Objection, %(n)d fact", "Objection, %(n)d facts", "n"),
            asked="That the personal data named in the request no longer be processed to train models (objection).",
            proof_ahead=_SHOW_YOU[0],
            proof_done=_SHOW_YOU[1],
            grounds=(
                _code("21_1", _("grounds of the person's own situation outweigh ours"), "GDPR Art. 21(1)", *_EU),
                _code("21_2", _("direct marketing: always to be followed"), "GDPR Art. 21(2), 21(3)", *_EU),
            ),
            exceptions=(
                _code("21_1_compelling", _("compelling legitimate grounds override"), "GDPR Art. 21(1)", *_EU),
                _code("21_1_claims", _("legal claims"), "GDPR Art. 21(1)", *_EU),
                _code("21_6", _("research in the public interest needs it"), "GDPR Art. 21(6)", *_EU),
                _code("not_the_person", _("the record is about somebody else"), "outside of the request"),
            ),
        ),
        Kind.SAFETY: KindRule(
            personal=False,
            form=ClaimedItem.Form.TEXT,
            # Harm is judged by what the model says, not by who reports it: a confirmed address is enough.
            weights_levels=frozenset({1, 2, 3, 4, 5}),
            title=_("Report of unsafe or toxic content"),
            counted=ngettext_lazy("Unsafe content, %(n)d passage", "Unsafe content, %(n)d passages", "n"),
            asked="That models no longer produce the unsafe or toxic content that the report names.",
            proof_ahead=_READ[0],
            proof_done=_READ[1],
            grounds=(
                _code("unsafe", _("the content is dangerous"), "Company policy on safety"),
                _code("toxic", _("the content is hateful or abusive"), "Company policy on safety"),
                _code("illegal", _("the content is illegal"), "Company policy on safety"),
            ),
            exceptions=(
                _code("harmless", _("the content is not harmful"), "Company policy on safety"),
                _code("needed", _("needed to recognise such content"), "Company policy on safety"),
            ),
        ),
        Kind.CORRECTION: KindRule(
            personal=True,
            form=ClaimedItem.Form.FACT,
            weights_levels=frozenset({5}),
            title=_("Correction of false or outdated information"),
            counted=ngettext_lazy("Correction, %(n)d statement", "Correction, %(n)d statements", "n"),
            asked="That models no longer give the false or outdated statements, and give the right ones where named.",
            proof_ahead=_SHOW_YOU[0],
            proof_done=_SHOW_YOU[1],
            grounds=(
                _code("16_false", _("inaccurate personal data"), "GDPR Art. 16, 5(1)(d)", *_EU),
                _code("16_incomplete", _("incomplete personal data"), "GDPR Art. 16", *_EU),
                _code("ccpa_106", _("the right to correct"), "Cal. Civ. Code § 1798.106", "ccpa"),
                _code("lgpd_18_iii", _("incomplete, inexact or outdated data"), "LGPD Art. 18, III", "lgpd"),
                _code("va_577_2", _("the right to correct"), "Va. Code § 59.1-577(A)(2)", "us_va"),
                _code("co_1306_c", _("the right to correct"), "C.R.S. § 6-1-1306(1)(c)", "us_co"),
                _code("quebec_28", _("inaccurate, incomplete or equivocal"), "CQLR c. P-39.1, s. 28", "quebec"),
                _code("house", _("false or outdated, by the company's policy"), "Company policy on corrections"),
            ),
            exceptions=(
                _code("accurate", _("the statement is accurate"), "GDPR Art. 5(1)(d)"),
                _code("opinion", _("an opinion, not a fact"), "outside of the request"),
                _code("not_the_person", _("the record is about somebody else"), "outside of the request"),
            ),
        ),
    }
)


def rule(kind: str) -> KindRule:
    """The rule of a kind, by the value that the database holds."""
    return KINDS[Kind(kind)]


def codes(offered: tuple[Code, ...], law: str) -> tuple[Code, ...]:
    """Those of the codes that may be used under the law."""
    return tuple(one for one in offered if not one.laws or law in one.laws)
