"""WeasyPrint with everything fixed that could differ from one run to the next: fonts, dates, identifiers, sources."""

from __future__ import annotations

import atexit
import contextlib
import ctypes.util
import functools
import logging
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from django.template import Context, Engine
from django.utils.translation import get_language

from governance.evidence.errors import RenderError

if TYPE_CHECKING:
    from weasyprint import HTML
    from weasyprint.text.fonts import FontConfiguration

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"
#: 1 January 2026, the time in the head table of every embedded font. Changing it changes the bytes of every report.
FONT_EPOCH = "1767225600"
_CLOCK = threading.Lock()


def require_libraries() -> None:
    """Raises `RenderError` unless the system libraries are there that make the report's bytes reproducible.

    Without libharfbuzz-subset WeasyPrint falls back silently and gives other bytes.
    """
    needed = {
        "harfbuzz-subset": "libharfbuzz-subset0",
        "pango-1.0": "libpango-1.0-0",
        "pangoft2-1.0": "libpangoft2-1.0-0",
    }
    missing = [package for library, package in needed.items() if ctypes.util.find_library(library) is None]
    if missing:
        raise RenderError(f"System libraries are missing. Run: apt-get install {' '.join(missing)}")


class _Collector(logging.Handler):
    """WeasyPrint only logs what it could not do; for evidence that is an error."""

    def __init__(self) -> None:
        super().__init__(level=logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@functools.cache
def _fonts() -> tuple[FontConfiguration, Any]:
    """Font configuration and the @font-face rules, loaded once per process."""
    require_libraries()
    from weasyprint import CSS
    from weasyprint.text.fonts import FontConfiguration

    configuration = FontConfiguration()
    path = STATIC / "css" / "fonts.css"
    return configuration, CSS(filename=str(path), font_config=configuration, url_fetcher=_fetcher())


#: WeasyPrint's temporary fonts must go before the interpreter takes its modules apart.
atexit.register(lambda: _fonts.cache_clear())


def _fetcher() -> Any:
    """Reads the house's own static files and data URLs; never the network, never another file."""
    from weasyprint.urls import URLFetcher

    class LocalFetcher(URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: dict[str, str] | None = None) -> Any:
            parts = urlsplit(url)
            if parts.scheme == "file":
                path = Path(unquote(parts.path)).resolve()
                if not path.is_relative_to(STATIC) and not path.is_relative_to(TEMPLATES):
                    raise ValueError(f"{path} is outside of the static files")
            elif parts.scheme != "data":
                raise ValueError(f"{parts.scheme} is not allowed in a report")
            return super().fetch(url, headers)

    return LocalFetcher(allowed_protocols=("file", "data"))


@functools.cache
def _engine() -> Engine:
    return Engine(dirs=[str(TEMPLATES)], libraries={"i18n": "django.templatetags.i18n"}, autoescape=True)


def page(template: str, values: dict[str, Any]) -> str:
    """HTML of a template under templates/, with autoescaping."""
    return tied(_engine().get_template(template).render(Context(values)))


_TAG = re.compile(r"(<[^>]*>)")
_TIES = r"(?<=\d) (?=%)"
_FRENCH_TIES = rf"{_TIES}|(?<=«) | (?=[:;?!»])"


def tied(source: str) -> str:
    """No line begins with a percent sign or, in French, with a mark that has a space before it."""
    ties = re.compile(_FRENCH_TIES if (get_language() or "").startswith("fr") else _TIES)
    parts = _TAG.split(source)
    return "".join(one if one.startswith("<") else ties.sub("\N{NO-BREAK SPACE}", one) for one in parts)


def html(source: str) -> HTML:
    """The document of an HTML string."""
    require_libraries()
    from weasyprint import HTML

    return HTML(string=source, base_url=str(TEMPLATES / "report") + "/", url_fetcher=_fetcher())


def lay_out(source: str, style: str, *, variant: str) -> Any:
    """A `weasyprint.Document` of the HTML with one style sheet, given as text.

    Raises:
        RenderError: WeasyPrint could not do all that was asked of it.
    """
    from weasyprint import CSS

    configuration, faces = _fonts()
    base = str(TEMPLATES / "report") + "/"
    sheet = CSS(string=style, base_url=base, font_config=configuration, url_fetcher=_fetcher())
    with _Warnings():
        return html(source).render(
            stylesheets=[faces, sheet],
            font_config=configuration,
            pdf_variant=variant,
        )


class _Warnings:
    """Turns WeasyPrint's warnings into a `RenderError` at the end of the block."""

    def __enter__(self) -> None:
        from weasyprint.logger import LOGGER

        self._collector = _Collector()
        LOGGER.addHandler(self._collector)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        from weasyprint.logger import LOGGER

        LOGGER.removeHandler(self._collector)
        if kind is None and self._collector.lines:
            raise RenderError([f"WeasyPrint: {line}" for line in self._collector.lines])


@contextlib.contextmanager
def _fixed_clock() -> Iterator[None]:
    """fontTools writes the time into each font that it cuts down, unless SOURCE_DATE_EPOCH names another."""
    with _CLOCK:
        before = os.environ.get("SOURCE_DATE_EPOCH")
        os.environ["SOURCE_DATE_EPOCH"] = FONT_EPOCH
        try:
            yield
        finally:
            if before is None:
                del os.environ["SOURCE_DATE_EPOCH"]
            else:
                os.environ["SOURCE_DATE_EPOCH"] = before


def write(document: Any, *, identifier: bytes, variant: str, attachments: list[Any] | None = None) -> bytes:
    """Bytes of a laid-out document. `identifier` is ASCII text."""
    with _Warnings(), _fixed_clock():
        data: bytes = document.write_pdf(pdf_variant=variant, pdf_identifier=identifier, attachments=attachments)
    return data
