"""Letters as files: one per template and language, with front matter; filled in without logic, or refused.

A template names its merge fields and groups of passages. A passage is chosen from its group by a key: the law, the kind
of case, how the clock stands. So a lawyer reads plain text, and every combination can be tried beforehand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from governance.errors import LetterIncomplete
from governance.notifications.languages import LANGUAGES, SOURCE, nearest

FOLDER = Path(settings.BASE_DIR) / "templates" / "letters"
PASSAGES = "_passages"
#: The key of a group that holds where no other fits; a group without it must have the key that is asked for.
OTHER = "other"
NOBODY = "none"
_NAME = re.compile(r"[a-z_]+")
_PLACE = re.compile(r"\{([a-z_]+)\}")
_PASSAGE = re.compile(r"^\[([a-z_]+\.[a-z_]+)\]\n", re.MULTILINE)
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
#: Not set apart in text that runs from right to left: paragraphs of their own, and addresses that are copied.
_OWN_LINES = frozenset({"text", "note", "reasons", "headline", "status_link", "confirm_link"})


#: Group -> the key of its passage, or of several that follow one another.
Choices = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Template:
    """A letter's text in one language, with the passages that it may take. `digest` covers both."""

    name: str
    language: str
    version: int
    counsel: str
    translator: str
    fields: frozenset[str]
    optional: frozenset[str]
    groups: frozenset[str]
    subject: str
    body: str
    passages: Mapping[str, str]
    digest: str


@dataclass(frozen=True)
class Written:
    """A letter that is ready to go."""

    title: str
    body: str


def names() -> list[str]:
    """Every template, in alphabetical order."""
    return sorted(path.stem for path in (FOLDER / SOURCE).glob("*.txt") if path.stem != PASSAGES)


def template(name: str, language: str) -> Template:
    """The template in this language, else in English.

    Raises:
        LetterIncomplete: there is no such template, or its file contradicts itself.
    """
    code = nearest(language)
    if name == PASSAGES or not _NAME.fullmatch(name) or not (FOLDER / SOURCE / f"{name}.txt").exists():
        raise LetterIncomplete(f"There is no letter “{name}”.")
    return _load(name, code if (FOLDER / code / f"{name}.txt").exists() else SOURCE)


@lru_cache(maxsize=None if not settings.DEBUG else 0)
def _load(name: str, language: str) -> Template:
    text = (FOLDER / language / f"{name}.txt").read_text(encoding="utf-8")
    _before, head, content = text.split("---\n", 2)
    known = dict(line.split(":", 1) for line in head.splitlines() if line.strip())
    words = {key: frozenset(known.get(key, "").split()) for key in ("fields", "optional", "passages")}
    subject, _blank, body = content.strip().partition("\n")
    passages = {key: value for key, value in _passages(language).items() if key.partition(".")[0] in words["passages"]}
    named = words["fields"] | words["optional"] | words["passages"]
    used = set(_PLACE.findall(content))
    if used != named:
        odd = ", ".join(sorted(used ^ named))
        raise LetterIncomplete(f"Letter “{name}”, {_tongue(language)}: declared and used fields differ: {odd}.")
    whole = text + "".join(f"[{key}]\n{value}\n" for key, value in sorted(passages.items()))
    return Template(
        name=name,
        language=language,
        version=int(known["version"]),
        counsel=known.get("counsel", NOBODY).strip(),
        translator=known.get("translator", NOBODY).strip(),
        fields=words["fields"],
        optional=words["optional"],
        groups=words["passages"],
        subject=subject.strip(),
        body=body.strip(),
        passages=passages,
        digest="sha256:" + hashlib.sha256(whole.encode()).hexdigest(),
    )


@lru_cache(maxsize=None if not settings.DEBUG else 0)
def _passages(language: str) -> dict[str, str]:
    parts = _PASSAGE.split((FOLDER / language / f"{PASSAGES}.txt").read_text(encoding="utf-8"))[1:]
    return {key: text.strip() for key, text in zip(parts[::2], parts[1::2], strict=True)}


def passage(key: str, language: str) -> str:
    """One passage by its full key, such as `review.source`."""
    return _passages(nearest(language))[key]


def fitting(name: str, language: str, choices: Choices) -> Template:
    """The template in this language where it has every passage that is asked for, else in English.

    Raises:
        LetterIncomplete: English lacks the passage too.
    """
    found = template(name, language)
    if found.language != SOURCE and _lacking(found, choices):
        found = template(name, SOURCE)
    if lacking := _lacking(found, choices):
        raise LetterIncomplete(
            [f"Letter “{name}”, {_tongue(found.language)}: the passage “{key}” is missing." for key in lacking]
        )
    return found


def _keys(found: Template, group: str, choices: Choices) -> list[str]:
    """The full keys of a group's passages; `other` stands for a key that the group does not have."""
    asked = choices.get(group, OTHER)
    wanted = [f"{group}.{key}" for key in ((asked,) if isinstance(asked, str) else asked)]
    general = f"{group}.{OTHER}"
    return [key if key in found.passages or general not in found.passages else general for key in wanted]


def _lacking(found: Template, choices: Choices) -> list[str]:
    return [k for group in sorted(found.groups) for k in _keys(found, group, choices) if k not in found.passages]


def write(found: Template, values: Mapping[str, str], choices: Choices) -> Written:
    """Fill the template in.

    Raises:
        LetterIncomplete: every merge field without a value, with template and language.
    """
    chosen = {
        group: "\n\n".join(found.passages[key] for key in dict.fromkeys(_keys(found, group, choices)))
        for group in found.groups
    }
    raw = _PLACE.sub(lambda m: chosen.get(m[1], m[0]), found.body)
    wanted = set(_PLACE.findall(found.subject + raw)) - found.optional
    if missing := sorted(name for name in wanted if not values.get(name, "").strip()):
        raise LetterIncomplete(
            [f"Letter “{found.name}”, {_tongue(found.language)}: the merge field “{f}” is missing." for f in missing]
        )
    apart = LANGUAGES[found.language].right_to_left

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1], "").strip()
        return f"{_ISOLATE}{value}{_END_ISOLATE}" if apart and value and match[1] not in _OWN_LINES else value

    title, body = _PLACE.sub(fill, found.subject), _PLACE.sub(fill, raw)
    return Written(title=" ".join(title.split()), body=re.sub(r"\n{3,}", "\n\n", body).strip())


def _tongue(code: str) -> str:
    return f"language {LANGUAGES[code].english} ({code})"
