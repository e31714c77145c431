"""The clocks of California, Virginia, Colorado, Brazil and Quebec.

Statutes of the United States let a period that ends on a weekend or holiday end on the next working day (Cal. Gov. Code
§ 6800, C.R.S. § 2-4-108(2)). The house does not lean on that: 45 days are 45 calendar days, and the earlier date is
lawful under either reading.
"""

from __future__ import annotations

from datetime import date
from types import MappingProxyType

from governance.clocks.rules import Law, More, Rule, Span

_PERSONAL = frozenset({"privacy", "correction", "access"})
_US = frozenset({"US"})
_CALENDAR_DAYS = "calendar days; the last day does not move, whatever day it is"

_CCPA_CALENDAR = (
    "business days are Monday to Friday without the public holidays of California (US-CA) or, where only US "
    "is named, of the federation; the 45 days are calendar days and do not move"
)
_CCPA_NO_STOP = (
    "11 CCR § 7021(b): the 45 days begin on the day of receipt, regardless of the time required to verify the request."
)

CCPA = Law(
    code="ccpa",
    title="CCPA",
    grounds=MappingProxyType(
        {
            "privacy": "Cal. Civ. Code § 1798.105",
            "correction": "Cal. Civ. Code § 1798.106",
            "access": "Cal. Civ. Code § 1798.110",
        }
    ),
    rules=(
        Rule(
            law="ccpa",
            version=1,
            applies_from=date(2020, 8, 14),
            kinds=frozenset({"privacy", "access"}),
            confirm=Span(working_days=10),
            confirm_article="former 11 CCR § 999.313(a)",
            answer=Span(days=45),
            article="former 11 CCR § 999.313(b)",
            citation="Cal. Civ. Code § 1798.105, 1798.130(a)(2); former 11 CCR § 999.313(a), (b)",
            extension=More(span=Span(days=45), article="former 11 CCR § 999.313(b)", cap=90),
            no_stop=(
                "Former 11 CCR § 999.313(b): the 45 days begin on the day of receipt, regardless of the time "
                "required to verify the request."
            ),
            countries=_US,
            home="US-CA",
            calendar=_CCPA_CALENDAR,
        ),
        Rule(
            law="ccpa",
            version=2,
            applies_from=date(2023, 3, 29),
            kinds=_PERSONAL,
            confirm=Span(working_days=10),
            confirm_article="11 CCR § 7021(a)",
            answer=Span(days=45),
            article="11 CCR § 7021(b)",
            citation="Cal. Civ. Code § 1798.105, 1798.106, 1798.130(a)(2); 11 CCR § 7021(a), (b)",
            extension=More(span=Span(days=45), article="11 CCR § 7021(b)", cap=90),
            no_stop=_CCPA_NO_STOP,
            countries=_US,
            home="US-CA",
            calendar=_CCPA_CALENDAR,
        ),
    ),
)

_VA_STOP = (
    "Va. Code § 59.1-577(B)(4): a request that cannot be authenticated need not be complied with; the 45 days run on."
)

US_VA = Law(
    code="us_va",
    title="Virginia CDPA",
    grounds=MappingProxyType(
        {
            "privacy": "Va. Code § 59.1-577(A)(3)",
            "correction": "Va. Code § 59.1-577(A)(2)",
            "access": "Va. Code § 59.1-577(A)(1)",
        }
    ),
    rules=(
        Rule(
            law="us_va",
            version=1,
            applies_from=date(2023, 1, 1),
            kinds=_PERSONAL,
            answer=Span(days=45),
            article="Va. Code § 59.1-577(B)(1)",
            citation="Va. Code § 59.1-577(A), (B)(1), (B)(2)",
            extension=More(span=Span(days=45), article="Va. Code § 59.1-577(B)(1)", cap=90),
            no_stop=_VA_STOP,
            countries=_US,
            home="US-VA",
            calendar=_CALENDAR_DAYS,
        ),
        Rule(
            law="us_va",
            version=1,
            relation="appeal",
            applies_from=date(2023, 1, 1),
            kinds=_PERSONAL,
            answer=Span(days=60),
            article="Va. Code § 59.1-577(C)",
            citation="Va. Code § 59.1-577(C)",
            no_extension="Va. Code § 59.1-577(C): an appeal is answered within 60 days of its receipt.",
            no_stop=_VA_STOP,
            countries=_US,
            home="US-VA",
            calendar=_CALENDAR_DAYS,
        ),
    ),
)

_CO_STOP = (
    "C.R.S. § 6-1-1306(2)(d): a request that cannot be authenticated need not be complied with; the 45 days run on."
)

US_CO = Law(
    code="us_co",
    title="Colorado Privacy Act",
    grounds=MappingProxyType(
        {
            "privacy": "C.R.S. § 6-1-1306(1)(d)",
            "correction": "C.R.S. § 6-1-1306(1)(c)",
            "access": "C.R.S. § 6-1-1306(1)(b)",
        }
    ),
    rules=(
        Rule(
            law="us_co",
            version=1,
            applies_from=date(2023, 7, 1),
            kinds=_PERSONAL,
            answer=Span(days=45),
            article="C.R.S. § 6-1-1306(2)(a)",
            citation="C.R.S. § 6-1-1306(1), (2); § 2-4-108(1)",
            extension=More(span=Span(days=45), article="C.R.S. § 6-1-1306(2)(a)", cap=90),
            no_stop=_CO_STOP,
            countries=_US,
            home="US-CO",
            calendar=_CALENDAR_DAYS,
        ),
        Rule(
            law="us_co",
            version=1,
            relation="appeal",
            applies_from=date(2023, 7, 1),
            kinds=_PERSONAL,
            answer=Span(days=45),
            article="C.R.S. § 6-1-1306(3)(b)",
            citation="C.R.S. § 6-1-1306(3); § 2-4-108(1)",
            extension=More(span=Span(days=60), article="C.R.S. § 6-1-1306(3)(b)", cap=105),
            no_stop=_CO_STOP,
            countries=_US,
            home="US-CO",
            calendar=_CALENDAR_DAYS,
        ),
    ),
)

LGPD = Law(
    code="lgpd",
    title="LGPD",
    grounds=MappingProxyType(
        {
            "privacy": "LGPD Art. 18, VI",
            "correction": "LGPD Art. 18, III",
            "access": "LGPD Art. 18, II",
        }
    ),
    rules=(
        Rule(
            law="lgpd",
            version=1,
            applies_from=date(2020, 9, 18),
            kinds=_PERSONAL,
            answer=Span(days=15),
            article="LGPD Art. 19, II (15 days for access; by policy for every request)",
            citation="Lei 13.709/2018 Art. 18, § 3 to § 5, Art. 19, II",
            no_extension="LGPD Art. 19, II sets 15 days from the request and no more.",
            no_stop="LGPD Art. 19, II counts from the date of the request and knows no pause.",
            countries=frozenset({"BR"}),
            home="BR",
            calendar=_CALENDAR_DAYS,
        ),
    ),
)

QUEBEC = Law(
    code="quebec",
    title="Quebec, Law 25",
    grounds=MappingProxyType(
        {
            "privacy": "CQLR c. P-39.1, s. 28, 28.1",
            "correction": "CQLR c. P-39.1, s. 28; Civil Code of Québec art. 40",
            "access": "CQLR c. P-39.1, s. 27",
        }
    ),
    rules=(
        Rule(
            law="quebec",
            version=1,
            applies_from=date(2023, 9, 22),
            kinds=_PERSONAL,
            answer=Span(days=30),
            article="CQLR c. P-39.1, s. 32",
            citation="CQLR c. P-39.1, s. 28, 28.1, 32 (no reply within 30 days of receipt is a refusal), 34, 36",
            no_extension=(
                "CQLR c. P-39.1, s. 32: whoever does not reply within 30 days of receipt is deemed to have refused."
            ),
            no_stop="CQLR c. P-39.1, s. 32 counts from the date of receipt and knows no pause.",
            countries=frozenset({"CA"}),
            home="CA-QC",
            calendar=_CALENDAR_DAYS,
        ),
    ),
)
