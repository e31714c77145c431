"""What a file really is, by its bytes, and whether it is safe to keep: no name is believed and nothing is executed.

Every refusal is a code of `file_words`. What is shown of a picture is a new one, drawn from its pixels:
nothing that rides along (EXIF, places, comments, trailing bytes) comes with it.
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from types import MappingProxyType

import puremagic
from PIL import Image, ImageOps, UnidentifiedImageError

FILE_BYTES = 20 * 2**20
#: A picture of more pixels is a flood: each takes four bytes of memory when it is drawn.
PIXELS = 60_000_000
FRAMES = 500
#: What an archive may hold: files, bytes when unpacked, and how many times the packed size.
MEMBERS, UNPACKED_BYTES, RATIO = 2_000, 200 * 2**20, 200
SHOWN_SIDE = 1024
_CHUNK = 2**20

#: Kind -> content type under which a file of it is given out, always as an attachment.
KINDS = MappingProxyType(
    {
        "text": "text/plain; charset=utf-8",
        "png": "image/png",
        "jpeg": "image/jpeg",
        "gif": "image/gif",
        "webp": "image/webp",
        "tiff": "image/tiff",
        "pdf": "application/pdf",
        "mp3": "audio/mpeg",
        "flac": "audio/flac",
        "ogg": "audio/ogg",
        "wav": "audio/wav",
        "zip": "application/zip",
    }
)
PICTURES = frozenset({"png", "jpeg", "gif", "webp", "tiff"})
#: First bytes; WebP and WAV are told by what follows RIFF.
_BEGINS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"%PDF-", "pdf"),
    (b"ID3", "mp3"),
    (b"\xff\xfb", "mp3"),
    (b"\xff\xf3", "mp3"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)
_RIFF = {b"WEBP": "webp", b"WAVE": "wav"}


@dataclass(frozen=True)
class Judgement:
    """The kind of a file, empty where it is none that is taken; the code of why it is not, empty where it is taken."""

    kind: str
    why: str = ""


def judge(data: bytes) -> Judgement:
    """What the bytes are and whether they are taken."""
    if not data:
        return Judgement("", "empty")
    if len(data) > FILE_BYTES:
        return Judgement("", "too_large")
    kind = kind_of(data)
    if not kind:
        return Judgement("", _foreign(data))
    if kind in PICTURES:
        return Judgement(kind, _picture(data))
    return Judgement(kind, _archive(data) if kind == "zip" else "")


def kind_of(data: bytes) -> str:
    """One of `KINDS`, or empty."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12], "")
    found = next((kind for begin, kind in _BEGINS if data.startswith(begin)), "")
    return found or ("text" if _is_text(data) else "")


def _is_text(data: bytes) -> bool:
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    except UnicodeDecodeError:
        return False
    # Pages and drawings can hold scripts: whoever opens the file would run them.
    opening = text.lstrip("\ufeff \t\r\n")[:200].lower()
    return "\x00" not in text and not opening.startswith(("<!doctype", "<html", "<svg", "<?xml", "<script", "#!"))


def _foreign(data: bytes) -> str:
    """What is not taken, by its name where it has one."""
    try:
        names = [found.name for found in puremagic.magic_string(data) if found.name]
    except (puremagic.PureError, ValueError):
        names = []
    return f"foreign:{names[0][:60]}" if names else "unknown"


def _picture(data: bytes) -> str:
    """Read from the head alone: nothing is drawn before the size is known."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                pixels = picture.width * picture.height
                frames = int(getattr(picture, "n_frames", 1))
    except Image.DecompressionBombError:
        return "pixels"
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, zlib.error):
        return "damaged_picture"
    if pixels > PIXELS:
        return "pixels"
    return "frames" if frames > FRAMES else ""


def _archive(data: bytes) -> str:
    """Counted by unpacking, not by what the archive says of itself; nothing is written anywhere."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS:
                return "members"
            if any(member.flag_bits & 1 for member in members):
                return "locked"
            total = 0
            for member in members:
                with archive.open(member) as inner:
                    head = inner.read(8)
                    if kind_of(head) == "zip":
                        return "nested"
                    total += len(head)
                    while chunk := inner.read(_CHUNK):
                        total += len(chunk)
                        if total > UNPACKED_BYTES or total > RATIO * len(data) + _CHUNK:
                            return "unpacks"
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, ValueError, EOFError):
        return "damaged_archive"
    return ""


def shown(data: bytes) -> bytes:
    """A picture as it may be shown: drawn anew and small, as PNG; empty where it cannot be drawn."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            turned = ImageOps.exif_transpose(picture)
            turned.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
            clean = Image.new("RGBA", turned.size)
            clean.paste(turned.convert("RGBA"))
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        zlib.error,
    ):
        return b""
    out = io.BytesIO()
    clean.save(out, "PNG")
    return out.getvalue()
