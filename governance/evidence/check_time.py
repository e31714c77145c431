"""Time stamps over a sealed report: each must be by a believed authority, the last must cover the whole file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils.reader import PdfFileReader

from governance.evidence.cms_form import FormError, check_hex, check_token


def check_stamps(reader: PdfFileReader, stamps: Sequence[Any], roots: Sequence[x509.Certificate], size: int) -> None:
    """ANDs over every document time stamp, with pyHanko's analysis of what changed between the revisions.

    Raises:
        FormError: no believed authority, a stamp does not hold, or something was changed after the seal.
    """
    from asn1crypto import x509 as asn1_x509
    from pyhanko.sign.diff_analysis import DiffResult, ModificationLevel
    from pyhanko.sign.validation import validate_pdf_timestamp
    from pyhanko_certvalidator import ValidationContext

    if not roots:
        raise FormError("no root certificate of a time stamp authority was given to believe")
    believed = [asn1_x509.Certificate.load(one.public_bytes(serialization.Encoding.DER)) for one in roots]
    for stamp in stamps:
        context = ValidationContext(trust_roots=believed, allow_fetching=False, best_signature_time=None)
        status = validate_pdf_timestamp(stamp, validation_context=context)
        if not (status.intact and status.valid and status.trusted):
            raise FormError("a time stamp does not hold, or its authority is not believed")
        path = [one.dump() for one in status.validation_path or ()]
        check_token(bytes(stamp.pkcs7_content), [*path, *(one.dump() for one in believed)])
    _, _, start, length = (int(number) for number in stamps[-1].byte_range)
    if start + length != size:
        raise FormError("something follows the last time stamp")
    for stamp in (*reader.embedded_regular_signatures, *stamps):
        first, second = int(stamp.byte_range[1]), int(stamp.byte_range[2])
        stream = reader.stream
        stream.seek(first)
        check_hex(stream.read(second - first), bytes(stamp.pkcs7_content))
    seal = reader.embedded_regular_signatures[0]
    seal.compute_integrity_info()
    told = seal.summarise_integrity_info()
    found = told["diff_result"]
    if (
        not isinstance(found, DiffResult)
        or found.modification_level > ModificationLevel.LTA_UPDATES
        or not told["docmdp_ok"]
    ):
        raise FormError("the file was changed after it was sealed")
