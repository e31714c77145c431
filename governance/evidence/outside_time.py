"""The time of an outside authority (RFC 3161) over bytes that are not a PDF."""

from __future__ import annotations

import asyncio
import hashlib

from governance.evidence.errors import ProofError


def stamp(data: bytes, url: str) -> bytes:
    """The authority's token (DER, a CMS) over the SHA-256 of `data`.

    Raises:
        ProofError: the authority did not answer, or refused.
    """
    from pyhanko.sign.timestamps import HTTPTimeStamper, TimestampRequestError

    from governance.evidence.time_tokens import CanonicalTimeStamper

    try:
        stamper = CanonicalTimeStamper(HTTPTimeStamper(url))
        return bytes(asyncio.run(stamper.async_timestamp(hashlib.sha256(data).digest(), "sha256")).dump())
    except (TimestampRequestError, OSError, ValueError) as error:
        raise ProofError(f"The time stamp authority gave no time: {error}") from error
