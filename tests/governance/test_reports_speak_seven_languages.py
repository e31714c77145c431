"""Reports in seven languages: nothing is left in English, no verdict is softened, every figure is the same."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import translation

from governance import dispatch
from governance.evidence import (
    certificate,
    engine_results,
    error_rates,
    figure_words,
    matching_rates,
    outcomes,
    pdf,
    report,
    said,
    schema,
    wording,
)
from governance.evidence.errors import ContradictionError
from governance.evidence.sentences import WHOLE_CLAIM, Construction, Deletion, Facts, statement
from governance.evidence.vocabulary import Disposition, Guarantee, Service, Verdict
from governance.evidence.words_used import words_used
from governance.glossary import TERMS
from governance.kinds import KINDS
from governance.models import Disposition as Ending
from governance.models import Kind, Proof, Role, Status
from governance.notifications.languages import LANGUAGES
from governance.services import dossier, processing
from tests.governance import evidence_example as make
from tests.governance import report_examples as examples
from tests.governance.test_evidence_pdf import tool
from unlearning_engine.sisa import claims

ROOT = Path(__file__).parents[2]
#: In points (`report.css`).
A4_WIDTH, RIGHT_MARGIN = 595.28, 14 / 25.4 * 72
OTHERS = [code for code in LANGUAGES if code != "en"]
#: How each language says that something was deleted.
GONE = {
    "de": r"gelöscht|entfernt|vergessen", "fr": r"effac|oubli", "es": r"borr|elimin|suprim|olvid",
    "it": r"cancell|elimin|soppress|dimentic", "pt": r"apag|elimin|suprim|esquec", "ar": r"حُذف|حذف|مُحي|محو",
}  # fmt: skip
RETRAINED = Construction(fresh_weights=True, records_left_out=150, tokenizer_independent=True)
RELEARNING = {"attack": "relearning", "model": "candidate", "set": "forget", "taught_facts": 30, "taught_works": 5,
              "steps": 40, "asked_facts": 90, "asked_works": 15}  # fmt: skip
NUMBERS = {"bits": 8, "group": 64, "share": 0.2, "prefixes": 6, "roles": 3, "examples": 4, "tries": 20,
           "temperature": 0.8, "epochs": 2}  # fmt: skip


def attacks() -> list[str]:
    made = [RELEARNING, {**RELEARNING, "set": "controls"}]
    made += [
        {"attack": name, "model": model, "asked_facts": 30, **NUMBERS}
        for name in engine_results._WORDS
        for model in ("original", "candidate")
    ]
    return [one["description"] for one in engine_results._attacks(made)]


def claimed() -> list[str]:
    """Every sentence that the engine can claim about a deletion."""
    meta: Any = SimpleNamespace(digest="sha256:ab", history=[{"records": 12}])
    reasons = ["the same steps, taken twice, gave different bits on this machine",
               "the machine that it was trained on was not checked to repeat itself"]  # fmt: skip
    seen = [{"name": "base", "saw_records": None, "note": ""}, {"name": "tokenizer", "saw_records": True, "note": "a"},
            {"name": "scaler", "saw_records": False, "note": ""}]  # fmt: skip
    codes = (claims.EVERYTHING, claims.ADAPTERS, claims.WEIGHTS, claims.REST)
    return [claims._sentence(code, meta, s, r) for code in codes for s in ([], seen) for r in ([], reasons)]


def test_every_sentence_that_evidence_holds_in_english_is_known() -> None:
    standing = [rule.asked for rule in KINDS.values()] + [dossier.POLICY_ONLY, *processing.SECURITY]
    standing += [str(one.label) for enum in (Role, Proof.Level) for one in enum]
    standing += [method.title for method in dispatch.METHODS.values()]
    standing += [one["name"] for one in (error_rates.measured() or {"families": []})["families"]]
    rates = matching_rates.measured() or {"misses": [], "matches": [], "not_tried": []}
    standing += [one[part] for one in (*rates["misses"], *rates["matches"]) for part in ("way", "what")]
    standing += rates["not_tried"]
    standing += ["chose plan 2", "confirmed plan 12", "The run failed: out of memory", "Cases: 12", *attacks()]
    assert [text for text in standing if not said.known(text)] == []


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_printed_of_them_is_translated_and_keeps_its_numbers(language: str) -> None:
    reason = ("No plan ended in a version that could take the old one's place: plan 1 (Gradient ascent): fail; "
              "plan 2 (Relabelling): bad input.")  # fmt: skip
    gone = ("Lumen revision 3, which learned the records, was withdrawn from service on 02 November 2026, so nothing "
            "was unlearned from it. The records are left out of future training.")  # fmt: skip
    joined = f"{KINDS[Kind.COPYRIGHT].asked} {dossier.POLICY_ONLY}"
    with translation.override(language):
        for text in (*attacks(), *claimed(), reason, gone, joined):
            told = said.printed(text)
            assert told != text and not re.search(r"\b(the|then|facts|which|and|records)\b", told), told
            assert sorted(re.findall(r"[1-9]\d*", told)) == sorted(re.findall(r"[1-9]\d*", text)) or text == gone, told
        assert "2026" in said.printed(gone)
        for own in ("An officer's own words.", "We keep other records", "They tell (3 facts)"):
            assert said.printed(own) == own


def test_a_long_text_is_not_asked_for_every_way_to_cut_it(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = ("Lumen revision 3, which learned the records, was withdrawn from service on 02 November 2026, so nothing "
            "was unlearned from it. The records are left out of future training.")  # fmt: skip
    asked, whole = itertools.count(1), said._whole

    def counted(text: str) -> str:
        assert next(asked) < 2000, "as many as there are ways to cut it"
        return whole(text)

    monkeypatch.setattr(said, "_whole", counted)
    text = " ".join([gone] * 12)  # any stretch of which reads as one sentence about a version of a long name
    with translation.override("de"):
        assert said.printed(f"{text} An officer's own words.") == f"{text} An officer's own words."
        assert said.printed(f"{text} {dossier.POLICY_ONLY}").endswith(said.printed(dossier.POLICY_ONLY))


@pytest.mark.parametrize("language", OTHERS)
def test_no_verdict_is_softened(language: str) -> None:
    with translation.override(language):
        told = [wording.outcome_word(one) for one in ("pass", "fail", "inconclusive", "damaged", "bad_input", "none")]
        assert len(set(told)) == len(told)
        probe = {"name": "exact_value", "family": "memorisation", "outcome": "fail"}
        sentences = {
            verdict: outcomes.verdict_sentence(
                {"verdict": verdict, "probes": [probe], "attacks": [], "comparison": "controls"}, confidence=0.95
            )
            for verdict in ("pass", "fail", "inconclusive", "damaged", "bad_input")
        }
    for verdict, text in sentences.items():
        assert (translation_of("That is a measurement, not a proof of absence.", language) in text) == (
            verdict == "pass"
        )
    for verdict in ("inconclusive", "damaged"):
        assert sentences[verdict].startswith(translation_of(verdict.capitalize(), language))


def translation_of(text: str, language: str) -> str:
    with translation.override(language):
        return translation.gettext(text)


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_said_to_be_gone_that_is_not(language: str) -> None:
    gone, read = re.compile(GONE[language], re.IGNORECASE), 0
    deleted = Facts(verdict=Verdict.PASS, guarantee=Guarantee.EXACT, disposition=Disposition.FULFILLED,
                    service=Service.REPLACED, model="Lumen", items=25, records=150, probes=8, deployments=2,
                    deletion=Deletion(code=WHOLE_CLAIM, sentence="", records_left_out=150))  # fmt: skip
    with translation.override(language):
        assert gone.search(statement(deleted).headline), "what was deleted is said so, in words that are known here"
        for row in itertools.product(Verdict, Guarantee, Disposition, Service):
            verdict, guarantee, disposition, service = row
            made = RETRAINED if guarantee is Guarantee.EXACT else None
            try:
                told = statement(
                    Facts(verdict=verdict, guarantee=guarantee, disposition=disposition, service=service, model="Lumen",
                          items=25, records=150, probes=8, attacks=1, deployments=2, construction=made)
                )  # fmt: skip
            except ContradictionError:
                continue
            read += 1
            if service is not Service.REPLACED or guarantee is Guarantee.APPROXIMATE or verdict is not Verdict.PASS:
                assert not gone.search(" ".join((told.headline, told.verdict, *told.claims))), (row, told)
            if disposition in (Disposition.FULFILLED, Disposition.PARTLY) and guarantee is Guarantee.APPROXIMATE:
                assert translation_of("Pass by measurement", language) == told.verdict
    assert read > 20, "most combinations exist"


@pytest.mark.parametrize("language", OTHERS)
def test_every_figure_is_the_same(language: str) -> None:
    def figures(code: str) -> list[str]:
        document = {**examples.of_case("compliance", code, base=make.approximate()), "ledger": None}
        document["error_rates"] = make.error_rates()
        with translation.override(code):
            made = report.context(document, "sha256:" + "0" * 64)
        cells = [row[part][name] for row in made["found"]["table"] for part in ("candidate", "reference", "difference")
                 if row[part] for name in ("value", "interval")]  # fmt: skip
        cells += [row["limit"] for row in made["found"]["table"]] + [one["bound"] for one in made["rates"]["rows"]]
        return [re.sub(r"[^\d\N{MINUS SIGN}]", "", cell) for cell in (*cells, made["confidence"])]

    assert figures(language) == figures("en")


@pytest.mark.parametrize("language", ["de", "fr", "es", "it", "pt"])
def test_nothing_is_printed_beyond_the_margin_and_no_line_begins_with_a_mark(language: str, tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(pdf.render(schema.build(examples.of_case("compliance", language))))
    boxes = tool("pdftotext", "-bbox", str(file), "-")
    edges = [float(one) for one in re.findall(r'xMax="([0-9.]+)"', boxes)]
    assert len(edges) > 400 and max(edges) <= A4_WIDTH - RIGHT_MARGIN + 1
    lines = tool("pdftotext", "-raw", str(file), "-").splitlines()
    assert not [line for line in lines if re.match(r"[%:;?!»]", line)]


def test_months_and_titles_are_written_as_each_language_does() -> None:
    told = {}
    for language in ("it", "pt", "fr"):
        with translation.override(language):
            made = certificate.context(examples.of_case("certificate", language), "sha256:" + "0" * 64)
            told[language] = (made["received"], made["asked"][1], made["done"][0])
    assert told["it"][0] == "2 novembre 2026" and told["pt"][0] == "2 de novembro de 2026"
    assert "«The Salt Orchard»" in told["it"][1] and "“" not in told["fr"][1]
    assert "1.824" in told["it"][2] and "1824" not in told["fr"][2]


def test_words_of_the_statement_are_those_of_the_models() -> None:
    for table, labels in (("kinds", Kind), ("stages", Status), ("endings", Ending)):
        for one in labels:
            assert figure_words.key(table, str(one.value)) == str(one.label)


def test_templates_of_reports_hide_no_text_from_the_catalogues() -> None:
    for path in (ROOT / "templates" / "report").glob("*.html"):
        assert not re.search(r"""[|:]_\(["']""", path.read_text()), path


def test_every_paper_is_set_again_offline_without_settings_or_models(tmp_path: Path) -> None:
    names = ("statement-ar", "register", "certificate-de")
    for name in names:
        (tmp_path / name).write_bytes(schema.build(examples.every()[name]))
    code = ("import hashlib, pathlib, sys; from governance.evidence.standalone import prepare; prepare()\n"
            "from governance.evidence import pdf\n"
            "for name in sys.argv[1:]: print(hashlib.sha256(pdf.render(pathlib.Path(name).read_bytes())).hexdigest())\n"
            "assert 'governance.models' not in sys.modules")  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, *(str(tmp_path / name) for name in names)], cwd=ROOT, env=environment,
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    ours = [hashlib.sha256(pdf.render((tmp_path / name).read_bytes())).hexdigest() for name in names]
    assert told == ours


def test_the_words_of_the_field_are_explained_in_reports_as_on_the_pages() -> None:
    pages = {str(term.word): str(term.meaning) for term in TERMS}
    full, plain = make.approximate(), examples.of_case("certificate")
    both = make.bare()
    told = [dict(words_used(full)), dict(words_used(both)), dict(words_used(make.refused())),
            dict(words_used(plain, plain=True))]  # fmt: skip
    assert all(pages[word] == meaning for words in told for word, meaning in words.items())
    assert {"Approximate", "Probe", "Unlearning"} <= set(told[0]) and "Exact" not in told[0]
    assert {"Exact", "Approximate"} <= set(told[1]), "a plan that failed is printed, too"
    assert set(told[2]) == {"Model", "Training", "Fingerprint"}
    assert set(told[3]) == {"Model", "Training", "Fingerprint", "Report"}
    for language in OTHERS:
        with translation.override(language):
            assert not set(dict(words_used(both)).values()) & set(pages.values())
