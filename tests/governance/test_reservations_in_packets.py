"""A reservation in a file is found wherever formats put their XMP packet: packed, in pieces, in other encodings."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import pikepdf
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from governance.outbound import Answer
from governance.reservations import Site, Stance, Use, iptc, xmp

PACKET = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:DataMining="DMI-PROHIBITED-AIMLTRAINING"/>'
    "</rdf:RDF></x:xmpmeta>"
)


def picture(format: str, **more: object) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 8), "navy").save(written, format, **more)
    return written.getvalue()


def jpeg_in_pieces() -> bytes:
    """The extended packet in two APP1 segments, the later one first."""
    plain, packet = picture("JPEG"), PACKET.encode()
    mark = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    segments = b""
    for offset, piece in ((150, packet[150:]), (0, packet[:150])):
        data = b"http://ns.adobe.com/xmp/extension/\0" + mark + struct.pack(">II", len(packet), offset) + piece
        segments += b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data
    return plain[:2] + segments + plain[2:]


def png_packed() -> bytes:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", PACKET, zip=True)
    return picture("PNG", pnginfo=info)


def pdf_packed(packet: bytes = PACKET.encode()) -> bytes:
    document = pikepdf.new()
    document.add_blank_page()
    stream = pikepdf.Stream(document, zlib.compress(packet))
    stream.Type, stream.Subtype, stream.Filter = pikepdf.Name.Metadatx, pikepdf.Name.XML, pikepdf.Name.FlateDecode
    document.Root.Metadata = document.make_indirect(stream)
    written = io.BytesIO()
    # The library unpacks what it knows as metadata; other programs leave it packed.
    document.save(written, stream_decode_level=pikepdf.StreamDecodeLevel.none, fix_metadata_version=False)
    assert packet not in written.getvalue()
    return written.getvalue().replace(b"/Metadatx", b"/Metadata")


FILES = {
    "jpeg, in pieces": jpeg_in_pieces,
    "jpeg": lambda: picture("JPEG", xmp=PACKET.encode()),
    "webp": lambda: picture("WEBP", xmp=PACKET.encode()),
    "png, packed": png_packed,
    "pdf, packed": pdf_packed,
    "tiff": lambda: picture("TIFF", tiffinfo={700: PACKET.encode()}),
    "utf-16": lambda: b"II*\0" + PACKET.encode("utf-16-le"),
    "utf-16, the other way": lambda: b"\0MM" + PACKET.encode("utf-16-be"),
    "utf-32": lambda: PACKET.encode("utf-32"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_reservation_is_found_in_every_kind_of_packet(name: str) -> None:
    body = FILES[name]()
    page = Answer(url="https://artist.example/work", status=200, headers=(), body=body)
    [finding] = iptc.read(Site(page=page, files={}))
    assert (finding.use, finding.stance) == (Use.TRAIN, Stance.RESERVED)


@pytest.mark.parametrize("name", [name for name in FILES if "packed" in name or "pieces" in name])
def test_a_damaged_file_has_no_packet_and_harms_nothing(name: str) -> None:
    body = FILES[name]()
    for cut in range(0, len(body), 97):
        xmp.packets(body[:cut] + bytes(8) + body[cut + 8 :])
        xmp.packets(body[:cut])


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert xmp.packets(pdf_packed())
    monkeypatch.setattr(xmp, "COMPRESSED_BYTES", 100)
    assert not xmp.packets(pdf_packed())
