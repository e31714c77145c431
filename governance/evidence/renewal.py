"""Stamping a sealed report anew before its last time stamp can no longer be believed (ETSI EN 319 142-1, 5.5).

Only added to, never changed: the file as it was is the beginning of the renewed one.
"""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any, Final

from governance.evidence.errors import SealError, SealUnavailable
from governance.evidence.seal import TimeAuthority, converted
from governance.evidence.time_tokens import in_one_form

#: How long before the end of a certificate of the last stamp a new one is made.
BEFORE: Final = timedelta(days=365)
#: Digests and keys that are still taken for strong; what is not among them is renewed at once.
STRONG_DIGESTS: Final = {"sha256", "sha384", "sha512"}
STRONG_RSA_BITS: Final = 3072


def believed_until(sealed: bytes) -> datetime:
    """The end of the first certificate to end of those that the last time stamp brings.

    Raises:
        SealError: the file carries no time stamp over all of it.
    """
    first: datetime = min(one.not_valid_after for one in _certificates(_last(sealed)))
    return first


def due_at(sealed: bytes, *, before: timedelta = BEFORE) -> datetime:
    """When a new time stamp is due: some time before the last one's end; long ago where its algorithm is weak."""
    last = _last(sealed)
    signer = last.signed_data["signer_infos"][0]
    keys = [one.public_key for one in _certificates(last)]
    weak = signer["digest_algorithm"]["algorithm"].native not in STRONG_DIGESTS
    weak = weak or any(key.algorithm == "rsa" and key.bit_size < STRONG_RSA_BITS for key in keys)
    return _certificates(last)[0].not_valid_before if weak else believed_until(sealed) - before


def _last(sealed: bytes) -> Any:
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader

    try:
        stamps = PdfFileReader(io.BytesIO(sealed)).embedded_timestamp_signatures
    except (PdfError, ValueError, OSError) as error:
        raise SealError(f"The report cannot be read: {error}") from error
    if not stamps:
        raise SealError("The report carries no time stamp that could be renewed")
    return stamps[-1]


def _certificates(stamp: Any) -> list[Any]:
    return [one.chosen for one in stamp.signed_data["certificates"]]


def renew(sealed: bytes, *, authority: TimeAuthority, earlier: TimeAuthority | None = None) -> bytes:
    """The file with one time stamp more over all of it, and what is needed to judge the one before.

    Args:
        earlier: the authority of the last stamp, where it is another than the one that is asked now.

    Raises:
        SealError: the last stamp is not to be believed any more, or the authority refused or is not there.
    """
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.sign.general import SigningError
    from pyhanko.sign.signers import PdfTimeStamper
    from pyhanko.sign.signers.pdf_signer import TimestampDSSContentSettings
    from pyhanko.sign.timestamps import TimestampRequestError
    from pyhanko.sign.validation import validate_pdf_timestamp
    from pyhanko_certvalidator import ValidationContext
    from pyhanko_certvalidator.errors import PathError

    known = (authority, *((earlier,) if earlier else ()))
    context = ValidationContext(
        trust_roots=converted(*(root for one in known for root in one.roots)),
        other_certs=converted(*(other for one in known for other in one.others)),
        allow_fetching=authority.fetch_revocation,
    )
    status = validate_pdf_timestamp(_last(sealed), validation_context=context, skip_diff=True)
    if not (status.intact and status.valid and status.trusted):
        raise SealError(
            "The last time stamp of the report is not to be believed any more; a new one cannot vouch for it"
        )
    writer = IncrementalPdfFileWriter(io.BytesIO(sealed))
    try:
        renewed: bytes = (
            PdfTimeStamper(in_one_form(authority.timestamper))
            .timestamp_pdf(
                writer,
                "sha256",
                context,
                validation_paths=[status.validation_path],
                dss_settings=TimestampDSSContentSettings(update_before_ts=True, include_vri=False),
            )
            .getvalue()
        )
    except TimestampRequestError as error:
        raise SealUnavailable(f"The time stamp authority did not answer as it should: {error}") from error
    except (PdfError, SigningError, PathError, ValueError, OSError) as error:
        raise SealError(f"The report could not be stamped anew: {error}") from error
    if not renewed.startswith(sealed):
        raise SealError("Stamping anew changed the bytes of the report")
    return renewed
