"""The clocks of the European Union, the United Kingdom and the house's own policy."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType

from governance.clocks.places import EEA, UNION
from governance.clocks.rules import Law, More, Rule, Span, Stop

_PERSONAL = frozenset({"privacy", "objection", "correction", "access"})
_ACCESS = frozenset({"access"})
_PERIODS = "Regulation (EEC, Euratom) 1182/71 Art. 3"
_EU_PLACES = EEA | {UNION}
_EU_CALENDAR = (
    "the public holidays of the member state, and its subdivision where one is named, in which the answer is "
    "given (Regulation 1182/71 Art. 2(1)); EU: none, only weekends"
)
_UK_CALENDAR = "the bank holidays of the nation named (GB-ENG, GB-SCT, GB-WLS, GB-NIR); GB: those that all four share"

GDPR = Law(
    code="gdpr",
    title="GDPR",
    grounds=MappingProxyType(
        {
            "privacy": "GDPR Art. 17(1)",
            "objection": "GDPR Art. 21(1)",
            "correction": "GDPR Art. 16",
            "access": "GDPR Art. 15",
        }
    ),
    rules=(
        Rule(
            law="gdpr",
            version=4,
            applies_from=date(2018, 5, 25),
            kinds=_PERSONAL,
            answer=Span(months=1),
            article="GDPR Art. 12(3)",
            citation=f"Regulation (EU) 2016/679 Art. 12(3), 12(6); {_PERIODS}; EDPB Guidelines 01/2022, section 5.3",
            extension=More(span=Span(months=2), article="GDPR Art. 12(3), second and third sentence"),
            stops=(
                Stop(
                    cause="identity", kinds=_PERSONAL, article="GDPR Art. 12(6); EDPB Guidelines 01/2022, section 5.3"
                ),
                Stop(
                    cause="clarification",
                    kinds=_ACCESS,
                    article="GDPR recital 63; EDPB Guidelines 01/2022, section 5.3",
                ),
            ),
            no_stop="GDPR Art. 12(6) knows a pause for reasonable doubt about identity; recital 63 lets a controller "
            "ask what an access request is about, and no other request (EDPB Guidelines 01/2022, section 5.3).",
            next_working_day=True,
            countries=_EU_PLACES,
            calendar=_EU_CALENDAR,
        ),
    ),
)

_UK_NO_STOP = (
    "UK GDPR Art. 12A(5) leaves out the days of a clarification for access requests (Art. 15) only; where identity was "
    "asked for, the month begins when it has come (Art. 12A(2)(b)), which is no pause."
)
_UK_MORE = "UK GDPR Art. 12A(3), (4)"

UK_GDPR = Law(
    code="uk_gdpr",
    title="UK GDPR",
    grounds=MappingProxyType(
        {
            "privacy": "UK GDPR Art. 17(1)",
            "objection": "UK GDPR Art. 21(1)",
            "correction": "UK GDPR Art. 16",
            "access": "UK GDPR Art. 15",
        }
    ),
    rules=(
        Rule(
            law="uk_gdpr",
            version=1,
            applies_from=date(2021, 1, 1),
            kinds=_PERSONAL,
            answer=Span(months=1),
            article="UK GDPR Art. 12(3), until 4 February 2026",
            citation=(
                f"UK GDPR Art. 12(3), 12(6); {_PERIODS}; ICO, Time limits for responding to data protection "
                "rights requests"
            ),
            extension=More(span=Span(months=2), article="UK GDPR Art. 12(3), second and third sentence"),
            stops=(
                Stop(
                    cause="clarification",
                    kinds=_ACCESS,
                    article="UK GDPR recital 63; ICO, Right of access: clarifying a request",
                ),
            ),
            no_stop="The ICO's guidance stops the clock for the clarification of access requests only; where identity "
            "was asked for, the month begins when it has come.",
            restarts="UK GDPR Art. 12(6); ICO, Time limits for responding to data protection rights requests",
            next_working_day=True,
            countries=frozenset({"GB"}),
            home="GB",
            calendar=_UK_CALENDAR,
        ),
        Rule(
            law="uk_gdpr",
            version=2,
            applies_from=date(2026, 2, 5),
            kinds=_PERSONAL,
            answer=Span(months=1),
            article="UK GDPR Art. 12A(1)",
            citation=(
                "UK GDPR Art. 12(3), 12A, inserted by the Data (Use and Access) Act 2025 s. 76 (SI 2026/82 "
                f"reg. 2); {_PERIODS}; ICO, Right of access: How do we calculate a month?"
            ),
            extension=More(span=Span(months=2), article=_UK_MORE),
            stops=(Stop(cause="clarification", kinds=_ACCESS, article="UK GDPR Art. 12A(5)", whole_days=True),),
            no_stop=_UK_NO_STOP,
            restarts="UK GDPR Art. 12A(2)",
            next_working_day=True,
            countries=frozenset({"GB"}),
            home="GB",
            calendar=_UK_CALENDAR,
        ),
        Rule(
            law="uk_gdpr",
            version=1,
            relation="complaint",
            applies_from=date(2026, 6, 19),
            kinds=_PERSONAL,
            confirm=Span(days=30),
            confirm_article="Data Protection Act 2018 s. 164A(3)",
            answer=Span(days=30),
            article="Data Protection Act 2018 s. 164A(4): without undue delay; by policy with the acknowledgement",
            citation=(
                "Data Protection Act 2018 s. 164A, inserted by the Data (Use and Access) Act 2025 s. 103 (SI "
                "2026/82 reg. 3); ICO, How to deal with data protection complaints: the 30 days begin on the "
                "day after receipt"
            ),
            no_extension="Data Protection Act 2018 s. 164A(3) sets 30 days and no more.",
            no_stop="Data Protection Act 2018 s. 164A knows no pause.",
            next_working_day=True,
            countries=frozenset({"GB"}),
            home="GB",
            calendar=_UK_CALENDAR,
        ),
    ),
)

_HOUSE_CALENDAR = "the public holidays of the house's own place (LETHE_PLACE)"

GPAI = Law(
    code="gpai",
    title="AI Act, code of practice on copyright",
    grounds=MappingProxyType({"copyright": "GPAI Code of Practice, Copyright chapter, Measure 1.5"}),
    policy_only=True,
    rules=(
        Rule(
            law="gpai",
            version=1,
            applies_from=date(2025, 8, 2),
            kinds=frozenset({"copyright"}),
            answer=Span(days=30),
            article=(
                "GPAI Code of Practice, Copyright chapter, Measure 1.5: within a reasonable time; by policy 30 days"
            ),
            citation=(
                "General-Purpose AI Code of Practice (10 July 2025), Copyright chapter, Measure 1.5; "
                "Regulation (EU) 2024/1689 Art. 53(1)(c)"
            ),
            confirm=Span(working_days=5),
            confirm_article="the company's policy",
            no_extension=(
                "The house promises an answer within 30 days (GPAI Code of Practice, Measure 1.5: a reasonable time)."
            ),
            no_stop="The house's policy under Measure 1.5 of the GPAI Code of Practice knows no pause.",
            countries=_EU_PLACES,
            calendar=_HOUSE_CALENDAR,
        ),
    ),
)

HOUSE = Law(
    code="house",
    title="The company's policy",
    grounds=MappingProxyType(
        {
            "copyright": "Company policy on opt-outs",
            "safety": "Company policy on safety",
            "correction": "Company policy on corrections",
        }
    ),
    policy_only=True,
    rules=(
        Rule(
            law="house",
            version=1,
            applies_from=date(2025, 8, 2),
            kinds=frozenset({"copyright", "safety", "correction"}),
            answer=Span(days=30),
            article="30-day policy; Directive (EU) 2019/790 Art. 4(3) reserves rights and sets no clock",
            citation="Directive (EU) 2019/790 Art. 4(3); Regulation (EU) 2024/1689 Art. 53(1)(c)",
            confirm=Span(working_days=5),
            confirm_article="the company's policy",
            no_extension="The house's policy promises an answer within 30 days and extends nothing.",
            no_stop="The house's policy knows no pause.",
            calendar=_HOUSE_CALENDAR,
        ),
    ),
)
