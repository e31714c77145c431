"""A public bundle: a ZIP whose every byte follows from its files, so that nothing can hide between them."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from lethe_verify.errors import Refused

README, REPORT, EVIDENCE, LEDGER = "README.txt", "report.pdf", "evidence.json", "ledger.json"
#: The files of a bundle in their order, and how large each may be.
LIMITS: Final = {
    README: 64 * 1024,
    REPORT: 25 * 1024 * 1024,
    EVIDENCE: 8 * 1024 * 1024,
    LEDGER: 4 * 1024 * 1024,
}
MAX: Final = sum(LIMITS.values()) + 4096
#: 1 January 1980, 00:00: the first moment that a ZIP can name.
_DOS_DATE: Final = 0x21
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_TAIL = struct.Struct("<4s4H2IH")


def is_bundle(data: bytes) -> bool:
    """Whether the bytes are those of a ZIP."""
    return data.startswith(b"PK\x03\x04")


def read(data: bytes) -> dict[str, bytes]:
    """The files of a bundle. They lie side by side, not compressed: there is nothing that could unpack to more."""
    if len(data) > MAX:
        raise Refused("size", "The bundle is larger than any of ours.")
    found: dict[str, bytes] = {}
    place = 0
    for name, limit in LIMITS.items():
        head = data[place : place + _LOCAL.size]
        if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
            raise Refused("bundle", f"The bundle is incomplete: {name} is missing.")
        _mark, _version, _flags, method, _time, _date, _crc, packed, size, name_length, extra = _LOCAL.unpack(head)
        place += _LOCAL.size
        if data[place : place + name_length] != name.encode():
            raise Refused("bundle", f"The bundle is incomplete or not in its order: {name} is missing.")
        if method or packed != size or size > limit or extra:
            raise Refused("bundle", f"{name} is packed in a way or size that none of ours has.")
        place += name_length
        found[name] = data[place : place + size]
        if len(found[name]) < size:
            raise Refused("bundle", f"The bundle is cut off within {name}.")
        place += size
    if write(found) != data:
        raise Refused("bundle", "The bundle holds something between or behind its files, or a file is cut off.")
    return found


def write(files: dict[str, bytes]) -> bytes:
    """The only ZIP of these files that is accepted."""
    body, directory = b"", b""
    for name, data in files.items():
        encoded, check = name.encode(), zlib.crc32(data)
        sizes = (check, len(data), len(data), len(encoded))
        directory += _CENTRAL.pack(
            b"PK\x01\x02", 0x314, 20, 0, 0, 0, _DOS_DATE, *sizes, 0, 0, 0, 0, 0o600 << 16, len(body)
        )
        directory += encoded
        body += _LOCAL.pack(b"PK\x03\x04", 20, 0, 0, 0, _DOS_DATE, *sizes, 0) + encoded + data
    count = len(files)
    return body + directory + _TAIL.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
