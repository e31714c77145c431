"""The translations of everybody's pages and of reports: which texts there are, read from the sources themselves.

A text is public when a page without a sign-in or a sealed paper can show it: every file below `PUBLIC` is read in full.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polib
from django.template import Engine
from django.template.base import Node
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

from governance.secrets import BASE_DIR
from governance.typography import letter_set_right, set_right

LOCALES = BASE_DIR / "locale"
_WEB = ("about", "batch_progress", "claimant", "claimant_files", "claimant_works", "filing", "filing_words", "forms",
        "kind_forms", "languages", "ledger_picture", "limits", "link_pages", "media_words", "proof_pages", "standing",
        "steps", "uploads", "verify", "verify_child", "verify_sample", "verify_sheet", "way",
        "work_forms", "work_lists")  # fmt: skip
_EVIDENCE = ("certificate", "check", "check_time", "downstream", "error_rates", "figure_words", "figures", "headlines",
             "lost_key", "matching_rates", "numerals", "outcomes", "pdf", "policy_words", "printing", "register_paper",
             "report", "revoked", "said", "sample_check", "schema", "search_scope", "seal_class", "sentences",
             "statement_paper",
             "thresholds_said", "wording")  # fmt: skip
#: Python files whose texts stand on everybody's pages, and in reports.
PUBLIC = (
    *(f"governance/web/{name}.py" for name in _WEB),
    "governance/validators.py",
    "governance/file_words.py",
    "governance/services/work_reading.py",
    "governance/services/work_files.py",
    "governance/services/batch_lines.py",
    "governance/services/additions.py",
    "governance/registry_numbers.py",
    "governance/proof_words.py",
    "governance/glossary.py",
    "governance/templatetags/intervals.py",
    "governance/templatetags/scales.py",
    *(f"governance/evidence/{name}.py" for name in _EVIDENCE),
)
#: Texts of files that serve staff too: only these of them are public.
SHARED = (
    "What shows that it is you", "You showed that it is you who asks", "What shows that the works are yours",
    "You showed that the works are yours", "What shows whom we answer", "You showed whom we answer",
    "Fulfilled", "Partly fulfilled: suppressed, recoverable", "Excluded from future training only", "No data found",
    "Not fulfilled", "Refused", "Withdrawn",
    "Held until it is scanned", "Taken", "Not taken", "Not taken: the scanner found something in it", "Deleted",
    "Parts are coming in", "Waiting to be filed", "Being filed", "Filed", "Stopped: the mandate ended",
    "Why?", "In your own words, at least one whole sentence.", "Write why, so that somebody can look into it.",
)  # fmt: skip
TEMPLATES = ("claimant/*.html", "report/*.html", "forms/**/*.html",
             "base_public.html", "components/theme_choice.html",
             "components/path.html", "components/digest.html", "components/clock_block.html",
             "components/guard.html", "components/proof_picture.html", "4*.html", "500.html",
             "refused.html")  # fmt: skip


@dataclass(frozen=True, order=True)
class Text:
    """One text of the sources: in the singular, and where it counts something in the plural."""

    singular: str
    plural: str = ""


_CALLS = {"_": 1, "gettext": 1, "gettext_lazy": 1, "lazy": 1, "ngettext": 2, "ngettext_lazy": 2}


def public_texts() -> set[Text]:
    """Every text that a page without a sign-in can show."""
    found = {text for name in PUBLIC if (BASE_DIR / name).exists() for text in _of_python(BASE_DIR / name)}
    found |= {Text(text) for text in SHARED}
    engine = Engine.get_default()
    for pattern in TEMPLATES:
        for path in sorted((BASE_DIR / "templates").glob(pattern)):
            found |= set(_of_template(engine, path))
    return found


def _of_python(path: Path) -> Iterator[Text]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
            words = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            count = _CALLS[node.func.id]
            if len(words) >= count:
                yield Text(*words[:count])


def _of_template(engine: Engine, path: Path) -> Iterator[Text]:
    nodes = engine.from_string(path.read_text()).nodelist
    for node in nodes.get_nodes_by_type(TranslateNode):
        found = getattr(node, "filter_expression").var  # noqa: B009 - the stubs do not know it
        yield Text(str(getattr(found, "literal", found)))
    for block in nodes.get_nodes_by_type(BlockTranslateNode):
        yield Text(*_block(block))


def _block(node: Node) -> tuple[str, ...]:
    block: Any = node
    singular = block.render_token_list(block.singular)[0]
    return (singular, block.render_token_list(block.plural)[0]) if block.plural else (singular,)


def catalogue(language: str) -> polib.POFile:
    """The translations into one language."""
    return polib.pofile(str(LOCALES / language / "LC_MESSAGES" / "django.po"), wrapwidth=0)


def letters_of(language: str) -> list[Path]:
    """The files of a language's letters."""
    return sorted((BASE_DIR / "templates" / "letters" / language).glob("*.txt"))


def update(language: str) -> int:
    """Bring a catalogue up to the sources: new texts come in empty, texts that are gone go. How many lack a word.

    Signs and spaces are set as the language has them, in its letters too.
    """
    found, texts = catalogue(language), public_texts()
    known = {Text(entry.msgid, entry.msgid_plural): entry for entry in found}
    for text in set(known) - texts:
        found.remove(known[text])
    forms = int(found.metadata["Plural-Forms"].partition("nplurals=")[2].partition(";")[0])
    for text in texts - set(known):
        plural = {"msgid_plural": text.plural, "msgstr_plural": dict.fromkeys(range(forms), "")} if text.plural else {}
        found.append(polib.POEntry(msgid=text.singular, **plural))
    for entry in found:
        entry.msgstr = set_right(entry.msgstr, language)
        entry.msgstr_plural = {form: set_right(text, language) for form, text in entry.msgstr_plural.items()}
    found.sort(key=lambda entry: entry.msgid)
    found.save()
    for path in letters_of(language):
        path.write_text(letter_set_right(path.read_text(encoding="utf-8"), language), encoding="utf-8")
    return len(found.untranslated_entries())
