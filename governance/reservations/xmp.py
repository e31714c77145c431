"""XMP packets of a file as text (XMP, part 3): plain, in UTF-16 or UTF-32, extended in JPEG, packed in PNG and PDF.

Nothing is rendered: of a picture only its head is read, of a PDF only its metadata streams. A file that cannot be read
has the packets that stand in its bytes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator

import pikepdf
from PIL import Image

#: A compressed packet larger than this is no metadata; deflate makes at most a thousand times as much of it.
COMPRESSED_BYTES = 2**16
#: An extended packet: much more than any camera or archive writes.
EXTENDED_BYTES = 2**24
_NAMES = ("x:xmpmeta", "rdf:RDF")
_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_PICTURES = ("JPEG", "PNG", "TIFF", "WEBP")


def packets(body: bytes) -> list[str]:
    """Every packet in the file, each once, in no order."""
    found = {packet for part in (body, *_hidden(body)) for packet in _plain(part)}
    return sorted(found)


def _plain(data: bytes) -> Iterator[str]:
    """Packets that stand in the bytes as they are."""
    for encoding in _ENCODINGS:
        starts = [data.find(f"<{name}".encode(encoding)) for name in _NAMES]
        if first := [start for start in starts if start >= 0]:
            text = data[min(first) :].decode(encoding, "replace")
            for name in _NAMES:
                yield from _between(text, f"<{name}", f"</{name}>")


def _between(text: str, begin: str, end: str) -> Iterator[str]:
    """Each part between a begin and the next end, in one pass: what never ends costs no second look."""
    start = text.find(begin)
    while start >= 0 and (stop := text.find(end, start)) >= 0:
        yield text[start:stop]
        start = text.find(begin, stop)


def _hidden(body: bytes) -> Iterator[bytes]:
    """What has to be put together or unpacked first."""
    if body[:1024].find(b"%PDF-") >= 0:
        yield from _of_pdf(body)
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(body), formats=_PICTURES) as picture:
                texts, segments = dict(picture.info), list(getattr(picture, "applist", []))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return
    yield from _extended(segments)
    for name in ("XML:com.adobe.xmp", "xmp"):
        text = texts.get(name, b"")
        yield text.encode() if isinstance(text, str) else bytes(text)


def _extended(segments: list[tuple[str, bytes]]) -> Iterator[bytes]:
    """JPEG: a packet of more than 64 kB in numbered pieces; each names its packet, the whole length and its place."""
    whole: dict[bytes, bytearray] = {}
    head = len(_EXTENSION)
    for _name, data in segments:
        if not data.startswith(_EXTENSION) or len(data) < head + 40:
            continue
        length, offset = (int.from_bytes(data[at : at + 4], "big") for at in (head + 32, head + 36))
        piece = data[head + 40 :]
        if length <= EXTENDED_BYTES and offset + len(piece) <= length:
            whole.setdefault(data[head : head + 32], bytearray(length))[offset : offset + len(piece)] = piece
    yield from (bytes(packet) for packet in whole.values())


def _of_pdf(body: bytes) -> Iterator[bytes]:
    try:
        with pikepdf.open(io.BytesIO(body)) as document:
            for thing in document.objects:
                if not isinstance(thing, pikepdf.Stream) or thing.get("/Type") != pikepdf.Name.Metadata:
                    continue
                if len(thing.read_raw_bytes()) <= COMPRESSED_BYTES:
                    yield thing.read_bytes()
    except (pikepdf.PdfError, ValueError):
        return
