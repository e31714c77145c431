"""Parts of a report's file that are compared: what describes it in each revision, and what is attached to it."""

from __future__ import annotations

import io

import pikepdf
from pyhanko.pdf_utils.reader import PdfFileReader


def described(revision: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """Info and XMP of one revision, without what sealing itself writes: the time of the change and the program."""
    with pikepdf.open(io.BytesIO(revision)) as document:
        info = {str(key): str(value) for key, value in document.docinfo.items()}
        with document.open_metadata(set_pikepdf_as_editor=False) as metadata:
            xmp = {str(key): str(value) for key, value in metadata.items()}
    return (
        {key: value for key, value in info.items() if key not in ("/ModDate", "/Producer")},
        {
            key: value
            for key, value in xmp.items()
            if key.rpartition("}")[2] not in ("ModifyDate", "MetadataDate", "Producer")
        },
    )


def embedded(reader: PdfFileReader) -> list[tuple[str, bytes]]:
    """Every embedded file by the name tree; a tree with kids is not what the house writes."""
    names = reader.root["/Names"]["/EmbeddedFiles"]["/Names"] if "/Names" in reader.root else []
    pairs = []
    for place in range(1, len(names), 2):
        entry = names[place]
        pairs.append((str(entry["/UF"]), bytes(entry["/EF"]["/F"].data)))
    return pairs
