"""A document of every kind of report, in several languages and on both sizes of sheet."""

from __future__ import annotations

import copy
from typing import Any

from tests.governance import evidence_example as make

SEAL = {"class": "self_issued", "authority": "Meridian Loom AG", "time": "own", "development": True}
#: Two pixels, red and white.
LOGO = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR42mM4ISfy//9/AAuXA/iL5Hv0AAAAAElFTkSuQmCC"
REMEDY = "If you do not agree, answer this letter and say why; somebody who did not decide before then reads it."


def of_case(kind: str, language: str = "en", size: str = "A4", base: dict[str, Any] | None = None) -> dict[str, Any]:
    """A report about the example's case."""
    found = copy.deepcopy(base or make.bare())
    found["report"] |= {"kind": kind, "language": language, "size": size, "seal": SEAL}
    if kind == "certificate":
        found["report"]["full"] = "LR-2026-0381"
        found["case"]["remedies"] = [REMEDY]
    found["case"]["clocks"] = [{"law": "The company's own policy", "received_on": "2026-11-02", "due": "2026-12-02",
                                "extended_due": "2026-12-12", "extended_why": "many works", "paused_days": 3,
                                "pauses": 1, "ended_because": ""}]  # fmt: skip
    found["matching"]["data_sets"] = [{"name": "Harbour corpus", "digest": make.sha("data set"), "records": 1824}]
    return make.with_ledger(found)


def with_logo(document: dict[str, Any]) -> dict[str, Any]:
    """The same of a house that has a logo."""
    document["report"]["logo"] = LOGO
    return make.with_ledger(document)


def no_data(language: str = "en", size: str = "A4") -> dict[str, Any]:
    """Nothing was found."""
    found = make.refused()
    found["case"] |= {"disposition": "no_data_found", "reason": ""}
    found["matching"]["searched"] = 1824
    return of_case("no_data", language, size, base=found)


def _paper(kind: str, content: dict[str, Any], language: str = "en", size: str = "A4") -> dict[str, Any]:
    base = make.bare()
    audience = "claimant" if kind == "letter" else "authority"
    report = {**base["report"], "number": f"L-{kind}", "kind": kind, "size": size, "language": language, "seal": SEAL,
              "audience": audience}  # fmt: skip
    return make.with_ledger({"schema": "lethe-paper/1", "report": report, "content": content, "ledger": None,
                             "software": base["software"], "fonts": base["fonts"]})  # fmt: skip


def letter(language: str = "en", size: str = "A4", **changes: Any) -> dict[str, Any]:
    """A refusal as it was sent."""
    content = {"case": "LT-7Q2MD-4KX", "disposition": "refused", "received_on": "2026-11-02", "template": "refused",
               "version": 1, "text": make.sha("text"), "reviewed": False,
               "title": "Your request LT-7Q2MD-4KX: refused",
               "body": f"Dear Ada Quill,\n\nyour request was refused: public domain.\n\n{REMEDY}",
               "written_at": "2026-11-23T09:00:00.000Z"}  # fmt: skip
    return _paper("letter", content | changes, language, size)


def figure(code: str, value: float | None, unit: str = "cases", **more: Any) -> dict[str, Any]:
    """A figure of a statement."""
    empty = {"of": None, "before": None, "before_of": None, "low": None, "high": None, "estimate": False}
    return {"code": code, "unit": unit, "value": value, **empty, **more}


def statement(language: str = "en", size: str = "A4", **changes: Any) -> dict[str, Any]:
    """A quarter."""
    weeks = [
        {"key": f"2026-0{7 + i // 5}-{1 + 6 * (i % 5):02d}", "values": [20 + i, 18 + i, 17 + i, 1]} for i in range(12)
    ]
    content = {
        "start": "2026-07-01", "end": "2026-09-30", "counted_at": "2026-10-02T08:00:00.000Z", "uncounted": 0,
        "figures": [figure("received", 412, before=380), figure("closed", 390), figure("kept", 388, of=390),
                    figure("missed", 2, of=390), figure("answer_median", 11, "days", of=390),
                    figure("forecast", 60, low=44, high=80, estimate=True), figure("open", 57)],
        "tables": [
            {"code": "laws", "columns": ["closed", "kept", "answer_median"],
             "rows": [{"key": "gdpr", "values": [200, 199, 11]}, {"key": "house", "values": [190, 189, 9.5]}]},
            {"code": "endings", "columns": ["closed"], "rows": [{"key": "exact", "values": [20]}]},
            {"code": "weeks", "columns": ["received", "closed", "kept", "missed"], "rows": weeks},
        ],
        "regimes": [{"key": "gdpr", "title": "EU: GDPR", "citation": "Regulation (EU) 2016/679, Art. 12(3)"}],
    }  # fmt: skip
    return _paper("statement", content | changes, language, size)


def empty_statement() -> dict[str, Any]:
    """A quarter in which nothing happened."""
    return statement("it", "Letter", figures=[], tables=[], regimes=[])


def register(language: str = "en", **changes: Any) -> dict[str, Any]:
    """The register of a house that has not said who its officer is."""
    names = ("activity", "purpose", "basis", "subjects", "data", "recipients", "transfers", "retention", "count")
    content = {"controller": {"name": "Meridian Loom AG", "contact": "", "officer": ""}, "as_of": "2026-11-23",
               "activities": [{name: f"{name} in words" for name in names} for _place in range(4)],
               "retention": [], "security": ["Names are encrypted under a key per person."]}  # fmt: skip
    return _paper("register", content | changes, language)


def hostile() -> dict[str, Any]:
    """500 works with titles of all scripts and none, an issuer with an endless name."""
    found = make.bare()
    title = (
        "\u4e2d\u6587 \U0001f600 \u05d0\u05d1\u05d2 \u0928\u092e \u0639\u0645\u0644 \u200d\ufe0f \ue000 " + "x" * 300
    )
    found["case"] |= {"items": [{"title": f"{title}{n}"} for n in range(500)], "items_count": 500}
    found["report"]["issuer"] = "Meridian Loom and Daughters " * 12
    return found


def every() -> dict[str, dict[str, Any]]:
    """Name -> document."""
    arabic = {"title": "\u0637\u0644\u0628\u0643\u0645 \u2068LT-7Q2MD-4KX\u2069: \u0645\u0631\u0641\u0648\u0636",
              "body": "\u0639\u0632\u064a\u0632\u062a\u064a \u2068Ada Quill\u2069\u060c\n\n\u0631\u064f\u0641\u0636 \u0637\u0644\u0628\u0643\u0645.\n\nhttps://lethe.example/s/1"}  # fmt: skip  # noqa: E501
    return {
        "compliance": of_case("compliance"),
        "compliance-ar": of_case("compliance", "ar", "Letter", base=make.approximate()),
        "compliance-hostile": of_case("compliance", base=hostile()),
        "certificate-en": with_logo(of_case("certificate", size="Letter")),
        "certificate-de": of_case("certificate", "de", base=make.approximate()),
        "certificate-ar": of_case("certificate", "ar"),
        "certificate-hostile": of_case("certificate", "ar", base=hostile()),
        "certificate-refused": of_case("certificate", "fr", base=make.refused()),
        "no_data": no_data(),
        "no_data-fr": no_data("fr", "Letter"),
        "letter": letter(),
        "letter-ar": letter("ar", "Letter", **arabic),
        "statement": statement(),
        "statement-ar": statement("ar"),
        "statement-empty": empty_statement(),
        "register": register("pt"),
    }
