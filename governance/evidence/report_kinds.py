"""Every kind of report: what it is printed from, its template, the prefix of its number.

One way for all: a document (`schema`) becomes a context, a page, a PDF (`pdf.render`), a sealed file (`seal.seal`). A
new kind is a row here, a template, and, where it is about no case, a part of `paper-1.schema.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from governance.evidence import certificate, letter_paper, register_paper, report, statement_paper

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ReportKind:
    """`context` takes the document and the digest of its bytes."""

    template: str
    prefix: str
    context: Callable[[Document, str], dict[str, Any]]


KINDS: Mapping[str, ReportKind] = MappingProxyType(
    {
        "compliance": ReportKind(template="report/report.html", prefix="LR", context=report.context),
        "no_data": ReportKind(template="report/no_data.html", prefix="LR", context=report.context),
        "certificate": ReportKind(template="report/certificate.html", prefix="LC", context=certificate.context),
        "letter": ReportKind(template="report/letter.html", prefix="LL", context=letter_paper.context),
        "statement": ReportKind(template="report/statement.html", prefix="LS", context=statement_paper.context),
        "register": ReportKind(template="report/register.html", prefix="LA", context=register_paper.context),
    }
)
SIZES = ("A4", "Letter")
#: The kinds of which a bundle is made: the report of a case.
BUNDLED = ("compliance", "no_data")


def kind_of(document: Document) -> str:
    """The kind that a document is printed as; a document from before there were kinds is a compliance report."""
    return str(document["report"].get("kind", "compliance"))


def has_bundle(report: Mapping[str, Any]) -> bool:
    """Whether bundles are made of files that say this of themselves: of reports, not of their copies nor of papers."""
    return report.get("kind", "compliance") in BUNDLED and "copy" not in report
