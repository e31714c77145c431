"""Sealing a rendered report: PAdES, certified against every change (ISO 32000-1, 12.8.2.2; ETSI EN 319 142-1).

With a time stamp authority the level is B-LTA; without one it is B-B, and the seal says that its time is the issuer's
own statement. The level is part of the signed reason, so that a file cut back to an earlier revision is noticed.
"""

from __future__ import annotations

import io
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pikepdf
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.utils import translation

from governance.evidence import pdf, rendering
from governance.evidence.errors import SealError, SealUnavailable
from governance.evidence.identity import SealSigner, check_valid
from governance.evidence.seal_class import organisation, time_class

if TYPE_CHECKING:
    from pyhanko.sign.timestamps import TimeStamper

LEVEL_B: Final = "PAdES-B-B"
LEVEL_LTA: Final = "PAdES-B-LTA"
OWN_TIME: Final = "time is the issuer's own statement"
OUTSIDE_TIME: Final = "time by an outside authority"
HOUSE_TIME: Final = "time by the issuer's own authority"
_TIMES: Final = {"none": OWN_TIME, "own": HOUSE_TIME, "outside": OUTSIDE_TIME}
#: Bytes kept free for a CMS without a time stamp; with one pyHanko estimates.
CONTENTS_BYTES: Final = 4096
#: Of the visible seal's words, the largest that fits (CSS px).
STAMP_SIZES: Final = (10.5, 9.0, 8.0, 7.0)
REASON: Final = re.compile(
    r"Compliance report sealed by the issuer; (PAdES-B-B|PAdES-B-LTA); [a-z' ]+; no change permitted"
)


@dataclass(frozen=True, kw_only=True)
class TimeAuthority:
    """An RFC 3161 authority and the certificates under which its answers are trusted."""

    timestamper: TimeStamper
    roots: tuple[x509.Certificate, ...]
    others: tuple[x509.Certificate, ...] = field(default=())
    fetch_revocation: bool = True
    #: Where it answers; empty where it is asked in this process.
    url: str = ""

    @classmethod
    def at(cls, url: str, roots: tuple[x509.Certificate, ...]) -> TimeAuthority:
        """An authority by URL. Its root certificates are configuration: what the answer brings along proves nothing."""
        from pyhanko.sign.timestamps import HTTPTimeStamper

        from governance.evidence.time_tokens import CanonicalTimeStamper

        if not roots:
            raise SealError(f"The time stamp authority {url} needs at least one trusted root certificate")
        return cls(timestamper=CanonicalTimeStamper(HTTPTimeStamper(url)), roots=roots, url=url)

    def ask(self) -> None:
        """Whether it answers now; what it answers is kept for the size of the stamps to come.

        Raises:
            SealUnavailable: it does not.
        """
        import asyncio

        from pyhanko.sign.timestamps import TimestampRequestError

        try:
            asyncio.run(self.timestamper.async_dummy_response("sha256"))
        except (TimestampRequestError, OSError, ValueError) as error:
            raise SealUnavailable(f"The time stamp authority does not answer as it should: {error}") from error


def reason(level: str, time: str) -> str:
    """The signed reason; `check` reads the promised level from it."""
    return f"Compliance report sealed by the issuer; {level}; {_TIMES[time]}; no change permitted"


def _time(key: SealSigner, authority: TimeAuthority | None) -> str:
    """Whose time the seal bears: an authority of the issuer's own proves nothing to others, and the seal says so."""
    if authority is None:
        return "none"
    return time_class(authority.url or "in-process", authority.roots, organisation(key.certificate.subject))


def seal(base: bytes, *, key: SealSigner, authority: TimeAuthority | None = None) -> bytes:
    """Seals the bytes of `pdf.render`; the result begins with exactly these bytes.

    Raises:
        SealUnavailable: the authority, the token or the key service cannot be had now.
        SealError: the file has no seal field, the certificate has expired, or pyHanko refused.
    """
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.sign import signers
    from pyhanko.sign.general import SigningError
    from pyhanko.sign.timestamps import TimestampRequestError
    from pyhanko_certvalidator.errors import PathError

    from governance.evidence.signing import HouseSigner
    from governance.evidence.time_tokens import in_one_form

    check_valid(key.certificate)
    level = LEVEL_LTA if authority else LEVEL_B
    width, height = _field_size(base)
    with tempfile.TemporaryDirectory(prefix="lethe-seal-") as folder:
        stamp = Path(folder) / "stamp.pdf"
        with translation.override(_language(base)):
            stamp.write_bytes(_stamp(key, level, _time(key, authority), width, height))
        signer = signers.PdfSigner(
            _metadata(level, key, authority),
            signer=HouseSigner(key),
            timestamper=in_one_form(authority.timestamper) if authority else None,
            stamp_style=_style(stamp),
        )
        try:
            sealed: bytes = signer.sign_pdf(
                IncrementalPdfFileWriter(io.BytesIO(base)),
                existing_fields_only=True,
                bytes_reserved=None if authority else 2 * CONTENTS_BYTES,
            ).getvalue()
        except TimestampRequestError as error:
            raise SealUnavailable(f"The time stamp authority did not answer as it should: {error}") from error
        except (PdfError, SigningError, PathError, ValueError, OSError) as error:
            raise SealError(f"The report could not be sealed at level {level}: {error}") from error
    if authority:
        sealed = sealed[: _end_of_last_stamp(sealed)]
    if not sealed.startswith(base):
        raise SealError("Sealing changed the bytes of the report")
    return sealed


def _end_of_last_stamp(sealed: bytes) -> int:
    """Where the last time stamp's cover ends.

    pyHanko appends validation data of the stamp itself in a further revision, which nothing covers: anybody could
    change it. A report ends with the stamp; the data may be added again when the stamp is renewed.
    """
    from pyhanko.pdf_utils.reader import PdfFileReader

    _, _, start, length = PdfFileReader(io.BytesIO(sealed)).embedded_timestamp_signatures[-1].byte_range
    return int(start) + int(length)


def _style(stamp: Path) -> Any:
    from pyhanko.pdf_utils.content import ImportedPdfPage
    from pyhanko.stamp import StaticStampStyle

    page = ImportedPdfPage(str(stamp))
    return StaticStampStyle(border_width=0, background=page, background_opacity=1, background_layout=_whole_field())


def _whole_field() -> Any:
    """The stamp fills its field; pyHanko would leave a margin and shrink it."""
    from pyhanko.pdf_utils.layout import AxisAlignment, InnerScaling, Margins, SimpleBoxLayoutRule

    return SimpleBoxLayoutRule(
        x_align=AxisAlignment.ALIGN_MIN,
        y_align=AxisAlignment.ALIGN_MIN,
        margins=Margins(0, 0, 0, 0),
        inner_content_scaling=InnerScaling.NO_SCALING,
    )


def _metadata(level: str, key: SealSigner, authority: TimeAuthority | None) -> Any:
    from pyhanko.sign import signers
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter

    return signers.PdfSignatureMetadata(
        field_name=pdf.FIELD,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        reason=reason(level, _time(key, authority)),
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        embed_validation_info=authority is not None,
        use_pades_lta=authority is not None,
        validation_context=_trust(key, authority) if authority else None,
    )


def converted(*certificates: x509.Certificate) -> list[Any]:
    """The certificates as pyHanko takes them."""
    from asn1crypto import x509 as asn1_x509

    return [asn1_x509.Certificate.load(one.public_bytes(serialization.Encoding.DER)) for one in certificates]


def _trust(key: SealSigner, authority: TimeAuthority) -> Any:
    from pyhanko_certvalidator import ValidationContext

    return ValidationContext(
        trust_roots=converted(key.certificate, *authority.roots),
        other_certs=converted(*authority.others),
        allow_fetching=authority.fetch_revocation,
    )


def _field_size(base: bytes) -> tuple[float, float]:
    """Width and height of the empty seal field in pt."""
    try:
        with pikepdf.open(io.BytesIO(base)) as document:
            fields = [f for f in document.Root.AcroForm.Fields if str(f.get("/T")) == pdf.FIELD]
            left, low, right, high = (float(v) for v in fields[0].Rect)
    except (pikepdf.PdfError, AttributeError, IndexError, KeyError) as error:
        raise SealError("The file has no empty seal field; render it with pdf.render") from error
    return right - left, high - low


def _language(base: bytes) -> str:
    """In which language the file says that it is written: its seal speaks the same."""
    with pikepdf.open(io.BytesIO(base)) as document:
        return str(document.Root.get("/Lang", "en"))


def _stamp(key: SealSigner, level: str, time: str, width: float, height: float) -> bytes:
    """A PDF of exactly the field's size. Fonts are embedded, which pyHanko's own text stamps do not do."""
    name = organisation(key.certificate.subject)
    values = {"organisation": name, "level": level.replace("PAdES-", "PAdES "), "time": time,
              "development": key.development, "language": translation.get_language(),
              "right_to_left": translation.get_language_bidi()}  # fmt: skip
    style = (rendering.TEMPLATES / "report" / "stamp.css").read_text()
    for size in STAMP_SIZES:
        sized = f"@page {{ size: {width:.2f}pt {height:.2f}pt; }}\n{style}\nhtml {{ font-size: {size}px; }}"
        laid_out = rendering.lay_out(rendering.page("report/stamp.html", values), sized, variant="pdf/a-3b")
        if len(laid_out.pages) == 1:
            return rendering.write(laid_out, identifier=b"lethe stamp 0001", variant="pdf/a-3b")
    raise SealError(f"The stamp does not fit its field: the organisation's name is too long ({name})")
