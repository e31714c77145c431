"""A time stamp authority whose certificate was revoked is judged by what the file carries, by both checks alike."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from governance.evidence import seal
from governance.evidence.check import Outcome as Ours
from governance.evidence.check import check
from lethe_verify import Outcome, judge, revocation
from lethe_verify import seal as theirs
from lethe_verify.trust import Trust, read
from lethe_verify.x509 import certificate
from tests.governance.evidence_sealed import sealed
from tests.verifier.authorities import Authority, authority
from tests.verifier.stamped import OTHER, _opened, _over

ROOT_KEY = ec.generate_private_key(ec.SECP256R1())
SOON = timedelta(seconds=1)
R = x509.ReasonFlags


def revoking() -> Authority:
    return authority("An authority that revokes", root_key=ROOT_KEY)


@functools.cache
def stamped() -> tuple[bytes, datetime]:
    """A report stamped by that authority, and the time of its last stamp."""
    data = seal.seal(sealed().base, key=sealed().key, authority=revoking().asked())
    return data, theirs.check(data).stamps[-1].time


def listed(since: datetime | None, reason: R | None = None, key: ec.EllipticCurvePrivateKey = ROOT_KEY) -> bytes:
    """A revocation list: of the authority's certificate, or of none of ours."""
    now, one = datetime.now(UTC), x509.RevokedCertificateBuilder()
    made = x509.CertificateRevocationListBuilder().issuer_name(revoking().root.subject)
    made = made.last_update(now).next_update(now + timedelta(days=7)).add_extension(x509.CRLNumber(3), critical=False)
    serial = revoking().certificate.serial_number if since else 7
    one = one.serial_number(serial).revocation_date(since or now)
    one = one.add_extension(x509.CRLReason(reason), critical=False) if reason else one
    return made.add_revoked_certificate(one.build()).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def answered(since: datetime | None, reason: R | None = None, *, named: bool = False, purpose: bool = True) -> bytes:
    """An OCSP answer by the root, or by whom the root named for that."""
    now, key, root = datetime.now(UTC), ROOT_KEY, revoking().root
    made = ocsp.OCSPResponseBuilder().add_response(
        cert=revoking().certificate, issuer=root, algorithm=hashes.SHA1(),  # noqa: S303 - of a name, as answers have it
        cert_status=ocsp.OCSPCertStatus.REVOKED if since else ocsp.OCSPCertStatus.GOOD, this_update=now,
        next_update=None, revocation_time=since, revocation_reason=reason,
    )  # fmt: skip
    signer = root
    if named:
        key = ec.generate_private_key(ec.SECP256R1())
        purposes = [ExtendedKeyUsageOID.OCSP_SIGNING if purpose else ExtendedKeyUsageOID.CODE_SIGNING]
        signer = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Answers")]))
            .issuer_name(root.subject).public_key(key.public_key()).serial_number(9)
            .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False).sign(ROOT_KEY, hashes.SHA256())
        )  # fmt: skip
        made = made.certificates([signer])
    made = made.responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def carrying(name: str, *values: bytes) -> bytes:
    """The report with these data, under a stamp of another authority."""
    from pyhanko.pdf_utils import generic

    data, moment = stamped()
    while datetime.now(UTC) < moment + 2 * SOON:
        time.sleep(0.1)
    writer = _opened(data)
    store = writer.root["/DSS"]
    added = [writer.add_object(generic.StreamObject(stream_data=value)) for value in values]
    store[generic.NameObject(name)] = generic.ArrayObject(added)
    writer.update_container(store)
    return _over(writer, authority(OTHER))


def judged(data: bytes, *, by_both: bool = False) -> tuple[Outcome, Ours | None, set[str]]:
    """What the stranger's verifier says, and the house's check where it is asked: that one takes seconds."""
    both = (revoking(), authority(OTHER))
    trust = Trust(frozenset({sealed().fingerprint})) | read("".join(one.pem.decode() for one in both))
    verdict = judge(data, trust)
    roots = [one.root for one in both]
    ours = check(data, [sealed().fingerprint], timestamp_roots=roots).outcome if by_both else None
    return verdict.outcome, ours, {one.state for one in verdict.findings if one.code == "authority"}


def before() -> datetime:
    return stamped()[1] - timedelta(days=1)


def between() -> datetime:
    """After the authority's last stamp, before that of the other one."""
    return stamped()[1] + SOON


def later() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


GOOD = (Outcome.GENUINE, Ours.GENUINE)
CASES: list[tuple[str, Callable[[], bytes], Any]] = [
    ("/CRLs", lambda: listed(None), GOOD),
    ("/CRLs", lambda: listed(before()), (Outcome.REFUSED, Ours.ALTERED)),
    ("/CRLs", lambda: listed(between(), R.superseded), GOOD),
    ("/CRLs", lambda: listed(between(), R.key_compromise), (Outcome.UNDECIDED, Ours.TIME_ENDED)),
    ("/CRLs", lambda: listed(between()), (Outcome.UNDECIDED, Ours.TIME_ENDED)),
    ("/CRLs", lambda: listed(later(), R.key_compromise), GOOD),
    ("/CRLs", lambda: listed(before(), key=ec.generate_private_key(ec.SECP256R1())), GOOD),
    ("/CRLs", lambda: b"no list", GOOD),
    ("/OCSPs", lambda: answered(None), GOOD),
    ("/OCSPs", lambda: answered(before(), R.superseded), (Outcome.REFUSED, Ours.ALTERED)),
    ("/OCSPs", lambda: answered(between(), R.ca_compromise, named=True), (Outcome.UNDECIDED, Ours.TIME_ENDED)),
    ("/OCSPs", lambda: answered(before(), named=True, purpose=False), GOOD),
]


#: One of each answer, a list and an answer.
BY_BOTH = (1, 4, 9, 10)


@pytest.mark.parametrize("case", range(len(CASES)))
def test_revocation_data_count_where_the_issuing_authority_signed_them(case: int) -> None:
    where, made, expected = CASES[case]
    theirs, ours, _states = judged(carrying(where, made()), by_both=case in BY_BOTH)
    assert (theirs, ours) == (expected if case in BY_BOTH else (expected[0], None))


def test_the_issuers_own_clock_does_not_vouch_for_an_authority_whose_key_was_lost() -> None:
    data = carrying("/CRLs", listed(later(), R.key_compromise))
    both = (revoking(), authority(OTHER))
    trust = Trust(frozenset({sealed().fingerprint})) | read("".join(one.pem.decode() for one in both))
    assert judge(data, trust).outcome is Outcome.GENUINE, "another authority vouches"
    own = dataclasses.replace(trust, own=frozenset({hashlib.sha256(both[1].der).hexdigest()}))
    assert judge(data, own).outcome is Outcome.UNDECIDED
    ours = check(data, [sealed().fingerprint], timestamp_roots=[one.root for one in both], own=[both[1].root])
    assert ours.outcome is Ours.TIME_ENDED


def test_a_revoked_certificate_is_never_told_as_one_that_was_not() -> None:
    way = [certificate(one.public_bytes(Encoding.DER)) for one in (revoking().certificate, revoking().root)]
    for made, told in ((listed(None), True), (listed(between(), R.superseded), False)):
        doubt, day = revocation.judged(way, stamped()[1], later(), revocation.Data(lists=(made,)))
        assert (doubt, day is not None) == ("", told)


def test_what_the_data_say_is_told_and_what_they_do_not_say_too() -> None:
    assert judged(stamped()[0])[2] == {"not_proved"}
    # Of the second authority, whose stamp is the last, the file says nothing.
    assert judged(carrying("/CRLs", listed(None)))[2] == {"not_proved"}
    own = _over(_opened(carrying("/CRLs", listed(None))), revoking())
    assert judge(own, Trust(frozenset({sealed().fingerprint}))).outcome is Outcome.UNDECIDED
