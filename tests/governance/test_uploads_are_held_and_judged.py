"""Files from outside: judged by bytes, held for the scanner, shown as new pictures, never dropped in silence."""

from __future__ import annotations

import gzip
import io
import socket
import struct
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from governance import clamd, dispatch, screening
from governance.errors import Conflict, KeyDestroyed, NotAllowed, Unfit
from governance.file_words import WHY, words
from governance.models import Case, LedgerEntry, Role, Upload
from governance.models.vault import subject_destroy
from governance.policies import CLAIMANT, Actor
from governance.services import uploads
from governance.services.holds import hold_set
from governance.tokens import link_token
from tests.governance.staff import sign_in_to_decide

S = Upload.State


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    """With a place in its EXIF, as telephones write it."""
    out, image = io.BytesIO(), Image.new("RGB", size, "navy")
    exif = Image.Exif()
    exif[0x010E] = "taken at 4 Mill Lane, Ardry"
    image.save(out, kind, exif=exif)
    return out.getvalue()


def archive(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members:
            packed.writestr(name, data)
    return out.getvalue()


@contextmanager
def scanner(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A daemon that speaks clamd's protocol and says what it is told to say."""
    server = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                line, _address = server.accept()
            except OSError:
                return
            with line, line.makefile("rb") as file:
                assert file.read(10) == b"zINSTREAM\0"
                data = b""
                while size := struct.unpack("!L", file.read(4))[0]:
                    data += file.read(size)
                seen.append(data)
                line.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}", seen
    finally:
        server.shutdown(socket.SHUT_RDWR)  # closed alone, it would go on to listen at whatever gets its number next
        thread.join(10)
        server.close()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (picture("JPEG"), "jpeg"), (picture("PNG"), "png"), (picture("WEBP"), "webp"), (picture("TIFF"), "tiff"),
        (b"%PDF-1.7\n...", "pdf"), (b"ID3\x03...", "mp3"), (b"RIFF\x00\x00\x00\x00WAVEfmt ", "wav"),
        ("Nine white rows.".encode("utf-16"), "text"), ("مرحبا 👩🏽‍🚀".encode(), "text"),
        (archive(("poem.txt", b"nine white rows")), "zip"),
    ],
)  # fmt: skip
def test_what_is_taken_is_known_by_its_bytes(data: bytes, kind: str) -> None:
    assert screening.judge(data) == screening.Judgement(kind)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 bytes"),
        (b"MZ\x90\x00" + b"\x00" * 60, "not taken here"),
        (b"<html><script>alert(1)</script>", "not taken here"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="x()"/>', "not taken here"),
        (b"#!/bin/sh\nrm -rf x", "not taken here"),
        (gzip.compress(b"x" * 100, mtime=0), "not taken here"),
        (b"\x00\x01\x02\x03", "not taken here"),
        (picture()[:200], "damaged"),
        (b"PK\x03\x04 nonsense", "damaged"),
        (archive(("a.zip", archive(("b.txt", b"x")))), "another archive"),
        (archive(("zeros.bin", b"\0" * (8 * 2**20))), "far more"),
        (archive(*((f"{n}", b"") for n in range(2001))), "more than 2000 files"),
        (b"x" * (20 * 2**20 + 1), "larger than 20 MB"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_refused_with_a_sentence(data: bytes, why: str) -> None:
    assert why in words(screening.judge(data).why)


def test_a_flood_of_pixels_is_refused_before_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    # A PNG whose head says 60,000 x 60,000 and whose body is nearly nothing.
    tiny = bytearray(picture("PNG", (1, 1)))
    tiny[16:24] = struct.pack("!II", 60_000, 60_000)
    import zlib

    tiny[29:33] = struct.pack("!I", zlib.crc32(bytes(tiny[12:29])))
    monkeypatch.setattr(Image.Image, "load", lambda *_a: pytest.fail("it was drawn"))
    assert screening.judge(bytes(tiny)).why == "pixels"


@given(st.binary(max_size=2000))
def test_no_bytes_break_the_judgement(data: bytes) -> None:
    judged = screening.judge(data)
    assert judged.why or judged.kind in screening.KINDS


def test_what_is_shown_of_a_picture_holds_nothing_that_rode_along(case: Case, people: dict[Role, Actor]) -> None:
    row = uploads.upload_take(case=case, name="me.jpg", data=picture() + b"trailing secret")
    shown = uploads.upload_read(upload=row, actor=people[Role.LEGAL], shown=True)
    assert row.state == S.CLEAN and shown.startswith(b"\x89PNG")
    assert b"Mill Lane" not in shown and b"secret" not in shown and not Image.open(io.BytesIO(shown)).getexif()
    assert b"Mill Lane" in uploads.upload_read(upload=row, actor=people[Role.LEGAL])


def test_the_bytes_lie_sealed_and_end_with_their_person(case: Case, people: dict[Role, Actor]) -> None:
    data = b"A letter that shows who I am."
    row = uploads.upload_take(case=case, name="letter.txt", data=data)
    assert data not in dispatch.read_bytes(row.artifact)
    subject_destroy(case.claimant.subject)
    with pytest.raises(KeyDestroyed):
        uploads.upload_read(upload=row, actor=people[Role.LEGAL])


def test_a_refused_file_stays_in_the_list_with_its_reason_and_without_its_bytes(case: Case) -> None:
    row = uploads.upload_take(case=case, name="x.exe", data=b"MZ\x90\x00" + b"\x00" * 60)
    assert (row.state, row.artifact) == (S.REFUSED, "") and "not taken" in words(row.why)
    assert LedgerEntry.objects.latest("index").action == "upload.received"


def test_why_a_file_was_not_taken_is_told_in_the_claimants_language(case: Case, client: Client) -> None:
    uploads.upload_take(case=case, name="x.exe", data=b"MZ\x90\x00" + b"\x00" * 60)
    old = uploads.upload_take(case=case, name="y.bin", data=b"\x00\x01\x02")
    Upload.objects.filter(pk=old.pk).update(why="A sentence of old, by hand.")
    page = client.get(reverse("status_files", args=[case.private_token]) + "?language=de").content.decode()
    assert "sie wird hier nicht angenommen" in page and "A sentence of old, by hand." in page


def test_sentences_that_were_kept_become_codes_and_are_never_lost() -> None:
    code_of = import_module("governance.migrations.0039_reasons_of_files").code_of
    assert code_of("The picture has more than 60 million pixels. Send a smaller copy.") == "pixels"
    assert code_of("The scanner found Eicar-Test-Signature.") == "found:Eicar-Test-Signature"
    assert code_of("Something else.") == "Something else."
    assert {code for _pattern, code in import_module("governance.migrations.0039_reasons_of_files").SENTENCES} < set(
        WHY
    )


def test_a_scanner_that_finds_something_is_believed(case: Case, settings: Any) -> None:
    with scanner(b"stream: Eicar-Test-Signature FOUND\0") as (settings.CLAMD, seen):
        row = uploads.upload_take(case=case, name="a.txt", data=b"harmless to look at")
    row.refresh_from_db()
    assert (row.state, row.artifact, row.scanner) == (S.INFECTED, "", "ClamAV") and "Eicar" in row.why
    assert seen == [b"harmless to look at"]


def test_a_scanner_that_does_not_answer_holds_the_file_until_it_does(
    case: Case, people: dict[Role, Actor], settings: Any
) -> None:
    settings.CLAMD = "unix:/nowhere/clamd.ctl"
    row = uploads.upload_take(case=case, name="a.txt", data=b"a poem")
    assert (row.state, row.tries, row.why) == (S.HELD, 1, uploads.UNREACHABLE)
    with pytest.raises(Conflict):
        uploads.upload_read(upload=row, actor=people[Role.LEGAL])
    assert uploads.uploads_sweep() == 0
    Upload.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
    with scanner(b"stream: OK\0") as (settings.CLAMD, seen):
        assert uploads.uploads_sweep() == 1
    row.refresh_from_db()
    assert row.state == S.CLEAN and seen == [b"a poem"]


@pytest.mark.parametrize("answer", [b"INSTREAM size limit exceeded. ERROR\0", b"", b"\xff\xfe"])
def test_an_answer_that_says_nothing_is_none(answer: bytes) -> None:
    with scanner(answer) as (address, _seen), pytest.raises(clamd.Unreachable):
        clamd.scan(b"data", address)


def test_the_same_bytes_twice_are_one_upload_and_there_is_an_end(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    first = uploads.upload_take(case=case, name="a.txt", data=b"a poem")
    assert uploads.upload_take(case=case, name="b.txt", data=b"a poem").pk == first.pk
    monkeypatch.setattr(uploads, "MAX_FILES", 1)
    with pytest.raises(Unfit, match="at most"):
        uploads.upload_take(case=case, name="c.txt", data=b"another")


def test_deleting_takes_the_bytes_and_leaves_the_fact(case: Case, django_capture_on_commit_callbacks: Any) -> None:
    row = uploads.upload_take(case=case, name="a.txt", data=b"a poem")
    ref = row.artifact
    with django_capture_on_commit_callbacks(execute=True):
        uploads.upload_delete(upload=row, actor=CLAIMANT)
    assert not dispatch.exists(ref) and Upload.objects.get().state == S.DELETED
    with pytest.raises(Conflict):
        uploads.upload_delete(upload=row, actor=CLAIMANT)


def test_a_legal_hold_keeps_the_files(case: Case, people: dict[Role, Actor]) -> None:
    row = uploads.upload_take(case=case, name="a.txt", data=b"a poem")
    hold_set(case=case, reason="A court asked for it to be kept.", actor=people[Role.LEGAL])
    row = Upload.objects.get()
    with pytest.raises(Conflict, match="hold"):
        uploads.upload_delete(upload=row, actor=CLAIMANT)


def test_who_may_not_read_names_reads_no_files(case: Case, people: dict[Role, Actor]) -> None:
    row = uploads.upload_take(case=case, name="a.txt", data=b"a poem")
    with pytest.raises(NotAllowed):
        uploads.upload_read(upload=row, actor=people[Role.ENGINEER])


def test_the_claimants_page_adds_lists_and_deletes(client: Client, case: Case) -> None:
    page = reverse("status_files", args=[link_token(case.public_id, "status")])
    sent = [SimpleUploadedFile("me.jpg", picture()), SimpleUploadedFile("x.exe", b"MZ\x90\x00"),
            SimpleUploadedFile("nothing.txt", b"")]  # fmt: skip
    answer = client.post(page, {"files": sent}, follow=True)
    text = answer.content.decode()
    assert "me.jpg" in text and "x.exe" in text and "not taken here" in text and "0 bytes" in text
    row = Upload.objects.get(state=S.CLEAN)
    token = link_token(case.public_id, "status")
    client.post(reverse("status_file_delete", args=[token, row.public_id]))
    assert Upload.objects.get(pk=row.pk).state == S.DELETED
    assert client.post(page, {}).status_code == 422
    other = reverse("status_file_delete", args=[token, "00000000-0000-4000-8000-000000000000"])
    assert client.post(other).status_code == 404


def test_the_desk_gets_attachments_never_pages(client: Client, case: Case, people: dict[Role, Actor]) -> None:
    row = uploads.upload_take(case=case, name="me.jpg", data=picture())
    legal = people[Role.LEGAL].user
    assert legal
    sign_in_to_decide(client, legal)
    assert case.number in client.get(reverse("uploads")).content.decode()
    for name, kind in (("upload_file", "image/jpeg"), ("upload_shown", "image/png")):
        answer = client.get(reverse(name, args=[row.public_id]))
        assert answer["Content-Type"] == kind and answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
    client.post(reverse("upload_delete", args=[row.public_id]))
    assert client.get(reverse("upload_file", args=[row.public_id])).status_code == 409
