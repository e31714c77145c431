"""Files as works: their text, or of a picture, a recording or a PDF the digest, by which the very file is known."""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePath

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from governance.evidence.numerals import apart
from governance.services.intake import Item
from governance.typography import SPACE
from governance.validators import TITLE_LENGTH, tidy

TEXT_BYTES = 2 * 2**20
SUFFIXES = {".txt", ".md"}
#: What no model of ours reads: a file of a name like this is kept as its digest alone, if its bytes are of that kind.
MEDIA = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".webp": "WebP", ".tif": "TIFF",
         ".tiff": "TIFF", ".pdf": "PDF", ".mp3": "MP3", ".flac": "FLAC", ".ogg": "Ogg", ".wav": "WAV"}  # fmt: skip
PICTURES = frozenset({"PNG", "JPEG", "GIF", "WebP", "TIFF"})
MEDIA_BYTES = 20 * 2**20
ACCEPTED = ",".join([*sorted(SUFFIXES), "text/plain", "text/markdown", *MEDIA])
#: First bytes of what is often handed in under a wrong name.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "ZIP"),
    (b"PK\x05\x06", "ZIP"),
    (b"%PDF-", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"\x1f\x8b", "gzip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "RAR"),
    (b"MZ", "Windows"),
    (b"\x7fELF", "ELF"),
    (b"\xd0\xcf\x11\xe0", "Microsoft Office"),
    (b"{\\rtf", "RTF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"ID3", "MP3"),
    (b"\xff\xfb", "MP3"),
    (b"fLaC", "FLAC"),
    (b"OggS", "Ogg"),
)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, kw_only=True)
class WorkFile:
    """A file as it was sent: its name, shown and never used as a path, and its bytes."""

    name: str
    data: bytes


def size_words(size: int) -> str:
    """`2 MB` or `14 KB`: in binary units, as file managers count them; what holds anything has at least 1 KB.

    No line breaks between the number and its unit.
    """
    if size < 2**20 / 10:
        told = _("%(n)s KB") % {"n": -(-size // 2**10)}
    else:
        tenths = round(size / 2**20, 1)
        told = _("%(n)s MB") % {"n": number_format(tenths, 0 if tenths.is_integer() else 1)}
    return told.replace(" ", SPACE)


def taken_words() -> str:
    """Which files are taken as works, and how large they may be."""
    kinds = dict.fromkeys(MEDIA.values())
    return _(
        "Text (%(text)s): at most %(text_size)s each. Pictures (%(pictures)s), recordings (%(sound)s) and PDF: at most "
        "%(media_size)s each. You may choose several at once, %(all)s in all."
    ) % {
        "text": apart(", ".join(sorted(SUFFIXES, reverse=True))),
        "text_size": size_words(TEXT_BYTES),
        "pictures": apart(", ".join(kind for kind in kinds if kind in PICTURES)),
        "sound": apart(", ".join(kind for kind in kinds if kind not in PICTURES and kind != "PDF")),
        "media_size": size_words(MEDIA_BYTES),
        "all": size_words(settings.UPLOAD_LIMIT_BYTES),
    }


def title_of(name: str) -> str:
    """A title from the file's name."""
    return tidy(PurePath(name).stem)[:TITLE_LENGTH] or _("Untitled file")


def text_of(file: WorkFile) -> str:
    """The text of a file, UTF-8 or UTF-16 with its mark.

    Raises:
        ValidationError: with the file's name, what is wrong with it and what to do.
    """
    name, data = tidy(file.name) or _("A file without a name"), file.data
    if PurePath(name).suffix.lower() not in SUFFIXES:
        raise ValidationError(
            _(
                "“%(name)s” is of a kind that is not taken. Save it as plain text (.txt) or as PDF, then choose "
                "it again."
            )
            % {"name": name}
        )
    if len(data) > TEXT_BYTES:
        raise ValidationError(
            _("“%(name)s” has %(size)s; a text may have %(limit)s. Split it, or send the passages that matter.")
            % {"name": name, "size": size_words(len(data)), "limit": size_words(TEXT_BYTES)}
        )
    if kind := _binary_kind(data):
        raise ValidationError(
            _("“%(name)s” is a %(kind)s file, whatever its name says. Send plain text (.txt or .md).")
            % {"name": name, "kind": kind}
        )
    text = decode(data)
    if text is None:
        raise ValidationError(
            _("“%(name)s” is no plain text, or in an old encoding. Save it as UTF-8 text, then choose it again.")
            % {"name": name}
        )
    if not data:
        raise ValidationError(_("“%(name)s” is empty: 0 bytes. Choose the file again.") % {"name": name})
    if not text.strip():
        raise ValidationError(_("“%(name)s” holds no text.") % {"name": name})
    return text


def item_of(file: WorkFile) -> Item:
    """A file as a work.

    Raises:
        ValidationError: with the file's name, what is wrong with it and what to do.
    """
    name, data = tidy(file.name), file.data
    expected = MEDIA.get(PurePath(name).suffix.lower())
    if expected is None:
        return Item(form="file", title=title_of(file.name), text=text_of(file))
    if len(data) > MEDIA_BYTES:
        raise ValidationError(
            _("“%(name)s” has %(size)s; a file may have %(limit)s. Name its address instead.")
            % {"name": name, "size": size_words(len(data)), "limit": size_words(MEDIA_BYTES)}
        )
    if not data:
        raise ValidationError(_("“%(name)s” is empty: 0 bytes. Choose the file again.") % {"name": name})
    if _binary_kind(data) != expected:
        raise ValidationError(
            _("“%(name)s” is no %(kind)s file, whatever its name says.") % {"name": name, "kind": expected}
        )
    return Item(form="digest", title=title_of(file.name), text=mark_of(data, expected))


def mark_of(data: bytes, kind: str) -> str:
    """What names a file without holding anything of it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()} ({kind}, {len(data)} bytes)"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What `mark_of` says of a file: its digest, its kind (empty where nobody knows it) and its size in bytes."""

    digest: str
    kind: str
    size: int


_MARK = re.compile(r"(sha256:[0-9a-f]{64}) \((\w+), (\d+) bytes\)")


def mark_read(text: str) -> Mark | None:
    """The parts of a mark; None where the text is none."""
    found = _MARK.fullmatch(text)
    if found is None:
        return None
    known = {"jpeg": "JPEG", "webp": "WebP", "ogg": "Ogg", "text": _("Text"), "file": ""}
    kind = found[2]
    return Mark(digest=found[1], kind=known.get(kind, kind.upper() if kind.islower() else kind), size=int(found[3]))


def _binary_kind(data: bytes) -> str:
    if data[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"WAVE": "WAV"}.get(data[8:12], "RIFF")
    return next((kind for mark, kind in _SIGNATURES if data.startswith(mark)), "")


def decode(data: bytes) -> str | None:
    """UTF-8, or UTF-16 with its mark, with line ends of one kind; None where it is neither."""
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text.replace("\r\n", "\n").replace("\r", "\n")
