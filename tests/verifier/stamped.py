"""A report with time stamps (B-LTA), renewed by a second authority, and the files that only pretend to be it."""

from __future__ import annotations

import functools
import io
import json
import random
import re
from dataclasses import dataclass
from typing import Any

from governance.evidence import renewal, seal
from lethe_verify.trust import Trust, read
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed
from tests.verifier import shadows
from tests.verifier.authorities import Authority, authority
from tests.verifier.corpus import RANDOM, Named, appended, contents, saved_again, structure, updated
from tests.verifier.example import Example, bundled

OTHER = "Another authority"
FORGER = "A forger's authority"


@dataclass(frozen=True)
class Stamped:
    """The file as it was sealed, and as it was stamped again by a second authority; the bundle around the first."""

    pdf: bytes
    renewed: bytes
    bundle: bytes


def authorities() -> tuple[Authority, Authority]:
    return authority(), authority(OTHER)


def trust() -> Trust:
    """The seal, by its fingerprint, and the roots of both authorities."""
    roots = "".join(one.pem.decode() for one in authorities())
    return Trust(frozenset({sealed().fingerprint})) | read(roots)


@functools.cache
def example() -> Example:
    one = sealed()
    data = seal.seal(one.base, key=one.key, authority=authorities()[0].asked())
    return bundled(json.loads(one.evidence), data, one.fingerprint, make.LEDGER_KEY)


@functools.cache
def stamped() -> Stamped:
    first, second = authorities()
    one = example()
    renewed = renewal.renew(one.pdf, authority=second.asked(), earlier=first.asked())
    return Stamped(one.pdf, renewed, one.bundle)


def mutations(count: int, seed: int = 20261130) -> Named:
    """At least all named attacks, and `count` files in all. None is a file that was ever sealed."""
    one, made = stamped(), 0
    genuine = {one.pdf, one.renewed, one.bundle}
    for name, data in named():
        if data not in genuine:
            yield name, data
            made += 1
    rng = random.Random(seed)
    ways = [name for name in RANDOM if name != "inside"]
    while made < count:
        what, chosen = rng.choice(ways), rng.choice((one.pdf, one.renewed, one.renewed, one.bundle))
        if made % 25 or chosen is one.bundle:
            data = RANDOM[what](rng, chosen)
        else:
            what, data = "by a stranger", shadows.any_of(rng, chosen)
        if what == "cut" and data in genuine:
            continue
        if data not in genuine:
            yield f"{what} {made}", data
            made += 1


def named() -> Named:
    """Attacks by name on both files."""
    one = stamped()
    for what, pdf in (("stamped", one.pdf), ("renewed", one.renewed)):
        for name, data in (*structure(pdf), *saved_again(pdf), *_texts(pdf), *_later(pdf), *_values(pdf)):
            yield f"{what}: {name}", data
    yield from _exchanged(one)
    yield from shadows.named(one.pdf)


def _spans(pdf: bytes) -> list[tuple[int, int]]:
    """Where the hexadecimal text of each signature lies, with its brackets."""
    found = re.findall(rb"/ByteRange \[\s*0 (\d+) (\d+) \d+\s*\]", pdf)
    return [(int(first), int(second)) for first, second in found]


def _texts(pdf: bytes) -> Named:
    """What no signature covers: the text of the last time stamp, and what it has in several forms."""
    assert contents(pdf) == _spans(pdf)[0]
    for number, (start, end) in enumerate(_spans(pdf)):
        text = pdf[start:end]
        used = start + len(text.rstrip(b"0>"))
        yield f"lower case of signature {number}", pdf[:start] + text.lower() + pdf[end:]
        for filling in (b"1", b" ", b"\n", b"F", b"\x00", b">"):
            yield f"padding {filling!r} of signature {number}", pdf[: end - 2] + filling + pdf[end - 1 :]
        for at in range(start, used, max(1, (used - start) // 60)):
            yield f"flip at {at} of signature {number}", pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]
    start, end = _spans(pdf)[-1]
    for name, token in _tokens(bytes.fromhex(pdf[start + 1 : end - 1].decode())):
        hexadecimal = token.hex().upper().encode().ljust(end - start - 2, b"0")
        yield f"last time stamp: {name}", pdf[: start + 1] + hexadecimal + pdf[end - 1 :]


def _tokens(contents: bytes) -> Named:
    """The same stamp in another form: the twin of its signature, other certificates, unsigned attributes."""
    from asn1crypto import cms
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    from tests.verifier.corpus import N

    def changed(change: Any) -> bytes:
        info = cms.ContentInfo.load(contents)
        change(info["content"], info["content"]["signer_infos"][0])
        return bytes(info.dump(force=True))

    def twin(_signed: Any, signer: Any) -> None:
        r, s = decode_dss_signature(signer["signature"].native)
        signer["signature"] = encode_dss_signature(r, N - s)

    def root(signed: Any, _signer: Any) -> None:
        signed["certificates"].append(cms.CertificateChoices.load(authorities()[0].der))

    def twice(signed: Any, _signer: Any) -> None:
        signed["certificates"].append(signed["certificates"][0])

    def none(signed: Any, _signer: Any) -> None:
        signed["certificates"] = cms.CertificateSet([])

    def version(signed: Any, _signer: Any) -> None:
        signed["version"] = "v4"

    for name, change in (("twin", twin), ("root", root), ("certificate twice", twice), ("no certificate", none),
                         ("version", version)):  # fmt: skip
        yield name, changed(change)


def _later(pdf: bytes) -> Named:
    """Saved by another program after the last stamp; shadows: the change and a new stamp over it in one revision."""
    believed = authorities()[1]
    for change in ("title", "overlay", "annotation", "attachment", "language", "field", "metadata"):
        yield f"update after the stamp: {change}", appended(pdf, change)
        yield f"update, then a stamp that is believed: {change}", _over(_opened(appended(pdf, change)), believed)
        yield f"update within a stamp that is believed: {change}", _over(updated(pdf, change), believed)
    yield "a stamp by the forger's authority", _over(_opened(pdf), authority(FORGER))
    for what in ("remark", "unnamed", "pages", "the seal"):
        yield f"hidden beside a stamp: {what}", _over(_with_store(pdf, what), believed)
    yield "a stamp that can be seen", _over(_opened(pdf), believed, box=(100, 100, 300, 200))


def _opened(pdf: bytes) -> Any:
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    return IncrementalPdfFileWriter(io.BytesIO(pdf))


def _over(writer: Any, one: Authority, box: tuple[int, ...] | None = None) -> bytes:
    """One revision more, stamped: what a stranger with access to the authority can do."""
    from pyhanko.sign.fields import InvisSigSettings
    from pyhanko.sign.signers import PdfTimeStamper

    from governance.evidence.time_tokens import CanonicalTimeStamper

    look = {"invis_settings": InvisSigSettings(box_out_of_bounds=True)} if box else {}
    stamper = PdfTimeStamper(CanonicalTimeStamper(one.asked().timestamper), **look)
    made: bytes = stamper.timestamp_pdf(writer, "sha256").getvalue()
    return made


def _with_store(pdf: bytes, what: str) -> Any:
    """A document security store that carries something else, or that passes parts of the report off as its own."""
    from pyhanko.pdf_utils import generic

    writer = _opened(pdf)
    store = writer.root["/DSS"]
    if what == "unnamed":
        writer.add_object(generic.StreamObject(stream_data=b"anything"))
        return writer
    if what == "remark":
        store[generic.NameObject("/Remark")] = writer.add_object(generic.StreamObject(stream_data=b"anything"))
    else:
        page = writer.root["/Pages"]["/Kids"][0]
        taken = page.raw_get("/Contents") if what == "pages" else page["/Annots"].raw_get(0)
        store[generic.NameObject("/Certs")] = generic.ArrayObject([*store["/Certs"], taken])
        if what == "pages":
            taken.get_object()._data = b"1 0 0 rg 0 0 600 800 re f"
            taken.get_object()._encoded_data = None
        else:
            taken.get_object()[generic.NameObject("/TU")] = generic.TextStringObject("Somebody else")
        writer.mark_update(taken)
    writer.update_container(store)
    return writer


def _values(pdf: bytes) -> Named:
    """Values of the last revision exchanged at equal length."""
    for old, new in ((b"/DocTimeStamp", b"/DocTimeStomp"), (b"/ETSI.RFC3161", b"/ETSI.RFC3162"), (b"/DSS ", b"/DSX "),
                     (b"/Rect [ 0 0 0 0 ]", b"/Rect [ 0 0 9 9 ]"), (b"/F 132", b"/F 133")):  # fmt: skip
        at = pdf.rfind(old)
        if at >= 0:
            yield f"{old!r} made {new!r}", pdf[:at] + new + pdf[at + len(old) :]


def _exchanged(one: Stamped) -> Named:
    """A genuine stamp of another file in this one's place."""
    other = seal.seal(sealed().base, key=sealed().key, authority=authorities()[0].asked())
    (start, end), (begin, stop) = _spans(one.pdf)[1], _spans(other)[1]
    text = other[begin + 1 : stop - 1].rstrip(b"0").ljust(end - start - 2, b"0")
    yield "the stamp of another file", one.pdf[: start + 1] + text + one.pdf[end - 1 :]
    yield "the last revision of another file", one.pdf[: start - 200] + other[begin - 200 :]
