"""A sealed report is genuine to a stranger in every language: titles are written in whichever encoding holds them."""

from __future__ import annotations

import hashlib

import pikepdf
import pytest

from governance.evidence import pdf, schema, seal
from governance.notifications.languages import LANGUAGES
from lethe_verify import Outcome, judge
from lethe_verify.changes import PDF_DOC
from lethe_verify.trust import Trust
from tests.governance import evidence_example as make
from tests.governance import report_examples
from tests.governance.evidence_sealed import sealed
from tests.verifier.authorities import authority


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["compliance", "certificate"])
def test_reports_in_every_language(kind: str, language: str) -> None:
    one, document = sealed(), report_examples.of_case(kind, language)
    document["report"]["issuer"] = "Müller & Søn – “Łódź” 東京"
    base = pdf.render(schema.build(make.with_ledger({**document, "ledger": None})))
    asked = authority().asked()
    for data in (seal.seal(base, key=one.key), seal.seal(base, key=one.key, authority=asked)):
        trust = Trust(frozenset({one.fingerprint}), roots=(authority().der,),
                      authorities=frozenset({hashlib.sha256(authority().der).hexdigest()}))  # fmt: skip
        verdict = judge(data, trust)
        assert verdict.outcome is Outcome.GENUINE, [text.text for text in verdict.findings if text.state == "refused"]


def test_the_encoding_of_titles_is_the_one_of_the_standard() -> None:
    for byte in (*range(0x18, 0x7F), *range(0x80, 0x9F), *range(0xA0, 0xAD), *range(0xAE, 0x100)):
        assert PDF_DOC.get(byte, chr(byte)) == str(pikepdf.String(bytes([byte]))), hex(byte)
