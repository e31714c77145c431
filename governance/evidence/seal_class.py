"""What class a seal and its time are of, as a report prints it: from the certificates alone, never from a wish."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from governance.evidence.identity import SealSigner

#: qcStatements (RFC 3739, 3.2.6), and in it QcCompliance and QcSSCD (ETSI EN 319 412-5) as DER.
QC_STATEMENTS: Final = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.3")
QC_COMPLIANCE: Final = bytes.fromhex("060604008e460101")
QC_DEVICE: Final = bytes.fromhex("060604008e460104")
_NEAR: Final = ("localhost", "127.0.0.1", "::1")


def organisation(name: x509.Name) -> str:
    """The organisation of a distinguished name, else its common name."""
    found = name.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    found = found or name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def seal_class(certificate: x509.Certificate) -> str:
    """`self_issued`, `advanced`, or `qualified` where an authority's certificate says so of itself and its device."""
    if certificate.issuer == certificate.subject:
        return "self_issued"
    try:
        stated = certificate.extensions.get_extension_for_oid(QC_STATEMENTS).value
    except x509.ExtensionNotFound:
        return "advanced"
    data = stated.value if isinstance(stated, x509.UnrecognizedExtension) else b""
    return "qualified" if QC_COMPLIANCE in data and QC_DEVICE in data else "advanced"


def time_class(url: str, roots: Collection[x509.Certificate], issuer: str) -> str:
    """`none` without an authority, `own` where it is this machine's or its root bears the issuer's name, `outside`."""
    if not url:
        return "none"
    ours = any(organisation(root.subject).casefold() == issuer.casefold() for root in roots)
    return "own" if ours or (urlsplit(url).hostname or "") in _NEAR else "outside"


def described(key: SealSigner, *, url: str, roots: Collection[x509.Certificate]) -> dict[str, Any]:
    """The member `report.seal` of an evidence document; `development` stands there alone where it is so."""
    certificate = key.certificate
    return {
        "class": seal_class(certificate),
        "authority": organisation(certificate.issuer),
        "time": time_class(url, roots, organisation(certificate.subject)),
        **({"development": True} if key.development else {}),
    }


def mark(seal: Mapping[str, Any]) -> str:
    """What every page of a paper bears whose key can be copied from a machine's disk; else empty."""
    return _("Sealed with a development key: not for use as proof.") if seal.get("development") else ""


def words(seal: Mapping[str, Any]) -> list[str]:
    """Class of the seal and worth of its time, a sentence each."""
    kind, time = str(seal["class"]), str(seal["time"])
    return [_class_words(kind) % {"authority": seal["authority"]}, _time_words(time)]


def _class_words(kind: str) -> str:
    if kind == "qualified":
        return _(
            "Class of the seal: qualified, as its certificate by %(authority)s says of itself. The trusted list of the "
            "European Union tells whether that holds."
        )
    if kind == "advanced":
        return _("Class of the seal: advanced, by a certificate of %(authority)s. It is not a qualified seal.")
    return _(
        "Class of the seal: self-issued. We made its certificate ourselves, so compare its fingerprint with the one on "
        "our website."
    )


def _time_words(time: str) -> str:
    if time == "outside":
        return _("Time: stamped by an authority outside of our house.")
    if time == "own":
        return _("Time stamp of our own: it proves nothing to others.")
    return _("Time: our own clock, without a time stamp. It proves nothing to others.")
