"""A stranger's check accepts the sealed report and no other file, whatever was done to it."""

from __future__ import annotations

import io
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pikepdf
import pytest

from governance.evidence import identity, schema, seal
from governance.evidence.check import MAX_BYTES, CheckResult, Outcome, check
from governance.evidence.checkpoint import verifier_key
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed

ROOT = Path(__file__).resolve().parents[2]


def checked(data: bytes) -> CheckResult:
    return check(data, [sealed().fingerprint])


def refused(data: bytes) -> None:
    assert data != sealed().data
    assert not checked(data).genuine


def test_the_sealed_report_is_genuine_and_its_evidence_is_given() -> None:
    one = sealed()
    result = check(one.data, [one.key.certificate], ledger_key=make.VERIFIER, rerender=True)
    assert result.outcome is Outcome.GENUINE, result.findings
    assert {"seal", "revisions", "time", "evidence", "ledger", "rerender", "signer"} <= {
        f.code for f in result.findings
    }
    assert result.level == seal.LEVEL_B and result.sealed_at
    assert schema.build(result.evidence or {}) == one.evidence
    assert any("issuer’s own statement" in finding.text for finding in result.findings)


def test_another_signer_is_not_believed_though_the_file_is_whole() -> None:
    result = check(sealed().data, ["00" * 32])
    assert result.outcome is Outcome.UNKNOWN_SIGNER
    assert check(sealed().data, []).outcome is Outcome.UNKNOWN_SIGNER


def test_the_digest_and_the_ledger_key_are_demanded_where_given() -> None:
    one = sealed()
    assert check(one.data, [one.fingerprint], known_sha256=checked(one.data).sha256).genuine
    assert check(one.data, [one.fingerprint], known_sha256="0" * 64).outcome is Outcome.ALTERED
    other = verifier_key(make.ORIGIN, make.Ed25519PrivateKey.generate().public_key())
    assert check(one.data, [one.fingerprint], ledger_key=other).outcome is Outcome.ALTERED


def test_files_that_are_no_reports_are_named_so() -> None:
    plain = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(plain)
    assert checked(b"").outcome is Outcome.NOT_A_REPORT
    assert checked(b"\x89PNG").outcome is Outcome.NOT_A_REPORT
    assert checked(plain.getvalue()).outcome in (Outcome.NOT_A_REPORT, Outcome.ALTERED)
    assert checked(b"%PDF-1.7\n" + b"0" * MAX_BYTES).outcome is Outcome.TOO_LARGE
    assert checked(b"%PDF-1.7\n%%EOF\n").outcome is Outcome.ALTERED
    assert checked(sealed().base).outcome is Outcome.UNSIGNED


def test_no_byte_can_be_flipped() -> None:
    rng, good = random.Random(20261124), sealed().data  # noqa: S311
    for _ in range(300):
        place = rng.randrange(len(good))
        changed = bytearray(good)
        changed[place] ^= 1 << rng.randrange(8)
        refused(bytes(changed))


def _contents() -> tuple[int, int]:
    found = re.search(rb"/ByteRange \[\s*0 (\d+) (\d+) \d+\s*\]", sealed().data)
    assert found
    return int(found[1]), int(found[2])


def test_no_byte_of_the_signature_itself_can_be_flipped() -> None:
    start, end = _contents()
    rng = random.Random(7)  # noqa: S311
    good = sealed().data
    used = len(good[start:end].rstrip(b"0>")) + start
    for place in [start, end - 1, *rng.sample(range(start, used), 300), *rng.sample(range(used, end), 30)]:
        changed = bytearray(good)
        changed[place] ^= 1 << rng.randrange(8)
        refused(bytes(changed))


def test_the_hexadecimal_text_of_the_signature_has_one_form() -> None:
    start, end = _contents()
    good = sealed().data
    inner = good[start:end]
    refused(good[:start] + inner.lower() + good[end:])
    for padding in (b"1", b" ", b"\n", b"F"):
        refused(good[: end - 2] + padding + good[end - 1 :])


def test_the_other_ecdsa_signature_of_the_same_content_is_refused() -> None:
    from asn1crypto import cms
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    start, end = _contents()
    good = sealed().data
    info = cms.ContentInfo.load(bytes.fromhex(good[start + 1 : end - 1].decode()))
    signer = info["content"]["signer_infos"][0]
    r, s = decode_dss_signature(signer["signature"].native)
    signer["signature"] = encode_dss_signature(r, identity.P256_ORDER - s)
    text = info.dump(force=True).hex().upper().encode().ljust(end - start - 2, b"0")
    refused(good[: start + 1] + text + good[end - 1 :])


def test_no_cut_and_no_garbage_is_accepted() -> None:
    rng, good = random.Random(3), sealed().data  # noqa: S311
    for end in [len(good) - 1, len(good) - 2, len(sealed().base), *(rng.randrange(len(good)) for _ in range(60))]:
        refused(good[:end])
    for tail in (b"\n", b" ", b"\x00" * 9, b"%%EOF\n", b"garbage", good):
        refused(good + tail)
    for head in (b"\n", b"%PDF-1.7\n"):
        refused(head + good)


def _appended(change: str) -> bytes:
    """An incremental update after the seal, by a second library."""
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(io.BytesIO(sealed().data))
    if change == "title":
        info = writer.trailer.raw_get("/Info").get_object()
        info[generic.NameObject("/Title")] = generic.TextStringObject("Everything was forgotten")
        writer.mark_update(writer.trailer.raw_get("/Info"))
    elif change == "overlay":
        page = writer.root["/Pages"]["/Kids"][0]
        stream = generic.StreamObject(stream_data=b"1 0 0 rg 0 0 600 800 re f")
        page["/Contents"] = generic.ArrayObject([page.raw_get("/Contents"), writer.add_object(stream)])
        writer.update_container(page)
    elif change == "attachment":
        entry = writer.root["/Names"]["/EmbeddedFiles"]["/Names"][1]
        stream = generic.StreamObject(stream_data=schema.build(make.bare()))
        entry["/EF"][generic.NameObject("/F")] = writer.add_object(stream)
        writer.update_container(entry)
    else:
        writer.root[generic.NameObject("/Lang")] = generic.TextStringObject("de")
        writer.update_root()
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize("change", ["title", "overlay", "attachment", "language"])
def test_no_incremental_update_is_accepted(change: str) -> None:
    refused(_appended(change))


def test_a_file_saved_again_or_without_its_signature_is_refused() -> None:
    for stripped in (False, True):
        with pikepdf.open(io.BytesIO(sealed().data)) as document:
            if stripped:
                del document.Root.AcroForm.Fields[0]["/V"]
            out = io.BytesIO()
            document.save(out)
        refused(out.getvalue())
        assert checked(out.getvalue()).outcome is (Outcome.UNSIGNED if stripped else Outcome.ALTERED)


def test_the_evidence_of_another_report_under_a_good_seal_is_refused() -> None:
    """Even who holds the key cannot pass pages off under other evidence."""
    one = sealed()
    with pikepdf.open(io.BytesIO(one.base)) as document:
        entry = document.Root.Names.EmbeddedFiles.Names[1]
        entry.EF.F.write(schema.build(make.approximate()))
        out = io.BytesIO()
        document.save(out, deterministic_id=True)
    resealed = seal.seal(out.getvalue(), key=one.key)
    assert checked(resealed).outcome is Outcome.ALTERED


def test_pages_that_the_evidence_does_not_give_are_found_by_setting_them_again() -> None:
    one = sealed()
    with pikepdf.open(io.BytesIO(one.base)) as document:
        document.pages[0].contents_add(b"q Q")
        out = io.BytesIO()
        document.save(out, deterministic_id=True)
    resealed = seal.seal(out.getvalue(), key=one.key)
    result = check(resealed, [one.fingerprint], rerender=True)
    assert result.outcome is Outcome.ALTERED and result.findings[-1].code == "rerender"


def test_random_bytes_in_a_pdfs_clothes_never_crash_the_check() -> None:
    rng = random.Random(11)  # noqa: S311
    good = sealed().data
    for size in (1, 20, 300, 4000):
        for _ in range(10):
            place = rng.randrange(len(good))
            refused(good[:place] + rng.randbytes(size) + good[place + size :])
            refused(b"%PDF-1.7\n" + rng.randbytes(size))


def test_the_command_works_without_settings_or_database(tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(sealed().data)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "governance.evidence.check", str(file), "--fingerprint"]
    good = subprocess.run([*command, sealed().fingerprint, "--rerender"], cwd=ROOT, env=environment,  # noqa: S603
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert good.returncode == 0, good.stdout + good.stderr
    assert "genuine" in good.stdout
    bad = subprocess.run([*command, "00" * 32], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert bad.returncode == 1 and "unknown_signer" in bad.stdout
    assert "governance.settings" not in good.stderr
