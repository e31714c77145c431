"""The artist's form: what it takes, what it refuses, and that nothing typed is lost."""

from __future__ import annotations

import io
import logging
import zipfile
from typing import Any

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from governance.models import Case, DraftWork, Job, LedgerOpening
from governance.tokens import link_token
from tests.governance.filing import begin, file

GOOD = {
    "name": "Zoë Ængström-Nwosu 李",
    "email": "zoe@example.org",
    "title": "The Salt Orchard",
    "text": "The salt orchard keeps its nine white rows.",
    "declared": "on",
}


def send(client: Client, **changes: Any) -> Any:
    return file(client, "opt-out", {**GOOD, **changes})


def text_file(name: str, data: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type="text/plain")


def test_a_filed_opt_out_leads_to_a_receipt_with_number_link_and_deadline(
    client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = send(client)
    assert (answer.status_code, answer["Location"]) == (302, "/receipt/")
    case = Case.objects.get()
    page = client.get("/receipt/").content.decode()
    assert case.number in page
    assert link_token(case.public_id, "status") in page
    assert "How this date was worked out" in page
    assert "\u2066z…@example.org\u2069" in page and "zoe@example.org" not in page
    assert case.claimant.name == GOOD["name"]
    (letter,) = mail.outbox
    assert letter.to == ["zoe@example.org"] and case.number in letter.subject
    assert f"/confirm/{link_token(case.public_id, 'confirm')}/" in letter.body
    assert GOOD["name"] in letter.body and "&#" not in letter.body


def test_texts_files_and_addresses_become_items_of_one_case(client: Client) -> None:
    files = [text_file("tide.txt", b"Nobody remembers\r\nthe tide."), text_file("näher.md", "häufig".encode("utf-16"))]
    answer = send(
        client, files=files, addresses="https://example.org/poem\n\n http://example.org/b ",
        domain="https://Zoë.example/", numbers="ISBN 978-3-16-148410-0\nT-034.524.680-1",
    )  # fmt: skip
    assert answer.status_code == 302
    items = [(item.form, item.title, item.text) for item in Case.objects.get().items.all()]
    assert items == [
        ("text", "The Salt Orchard", GOOD["text"]),
        ("url", "https://example.org/poem", "https://example.org/poem"),
        ("url", "http://example.org/b", "http://example.org/b"),
        ("domain", "xn--zo-ija.example", "xn--zo-ija.example"),
        ("number", "ISBN 978-3-16-148410-0", "ISBN 978-3-16-148410-0"),
        ("number", "ISWC T-034.524.680-1", "ISWC T-034.524.680-1"),
        ("file", "tide", "Nobody remembers\nthe tide."),
        ("file", "näher", "häufig"),
    ]


def test_an_empty_form_names_every_answer_that_is_missing_and_links_to_it(client: Client) -> None:
    answer = client.post("/opt-out/", {})
    page = answer.content.decode()
    assert answer.status_code == 422
    for target in ("#id_name", "#id_email", "#id_capacity_0"):
        assert f'href="{target}"' in page
    assert not Case.objects.exists()


def test_without_a_work_the_form_says_so(client: Client) -> None:
    page = send(client, title="", text="").content.decode()
    assert "Name at least one work" in page and 'href="#id_files"' in page


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"declared": None}, "Tick the declaration"),
        ({"email": "zoe at example"}, "Write a whole address"),
        ({"title": ""}, "Give the text its title"),
        ({"text": "   "}, "Paste a passage of “The Salt Orchard”"),
        ({"addresses": "javascript:alert(1)"}, "is no whole address"),
        ({"addresses": "https://example.org/\nexample.org/poem"}, "“example.org/poem” is no whole address"),
        ({"name": "Zoë\r\nBcc: a@example.org"}, "on one line"),
        ({"title": "safe\u202etxt.exe"}, "on one line"),
        ({"name": "x" * 201}, "at most 200"),
    ],
)
def test_a_wrong_answer_is_explained_and_the_rest_is_kept(client: Client, changes: Any, sentence: str) -> None:
    answer = send(client, **changes)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    kept = {**GOOD, **changes}
    for name in {"declared", "name"} ^ set(changes):
        if name in ("text", "title") and kept[name].strip() and not {"name", "email", "declared"} & set(changes):
            assert kept[name] in page
    assert "<title>Error:" in page.replace("\n", "")
    assert not Case.objects.exists()


def test_works_are_added_one_after_the_other_and_taken_out_again(client: Client) -> None:
    works = begin(client, "opt-out", GOOD)["Location"]
    for n in (1, 2, 2):
        answer = client.post(works, {"title": f"Work {n}", "text": "A text.", "more": "1"})
        assert (answer.status_code, answer["Location"]) == (302, works)
    page = client.get(works).content.decode()
    assert "2 works so far" in page
    first = DraftWork.objects.earliest("pk").pk
    page = client.post(works, {"remove": str(first), "title": "half typed"}).content.decode()
    assert "1 work so far" in page and 'value="half typed"' in page and "error-summary" not in page
    assert client.post(works, {})["Location"].endswith("/check/")


@pytest.mark.parametrize("number", ["-3", "9999999999999999999999", "two", "0", "²"])
def test_a_forged_number_of_a_work_is_harmless(client: Client, number: str) -> None:
    works = begin(client, "opt-out", GOOD)["Location"]
    assert client.post(works, {"remove": number}).status_code in {200, 422}


def _archive() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("poem.txt", "text")
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("poem.txt", _archive(), "“poem.txt” is a ZIP file"),
        ("poem.txt", b"%PDF-1.7\n", "“poem.txt” is a PDF file"),
        ("poem.md", b"\x89PNG\r\n\x1a\n", "“poem.md” is a PNG file"),
        ("poem.txt", b"half a text\x00 and a NUL", "“poem.txt” is no plain text"),
        ("poem.txt", b"caf\xe9 in Latin-1", "in an old encoding"),
        ("poem.txt", "poem".encode("utf-16-le"), "is no plain text"),
        ("poem.docx", b"only text", "“poem.docx” is of a kind that is not taken"),
        ("poem.txt", b" \n ", "holds no text"),
        ("poem.txt", b"", "is empty: 0 bytes"),
        ("picture.png", b"GIF89a", "is no PNG file, whatever its name says"),
        ("picture.png", b"", "is empty: 0 bytes"),
        ("poem.txt", b"a" * (2 * 2**20 + 1), "a text may have 2\u00a0MB"),
    ],
)
def test_a_file_that_is_no_plain_text_is_refused_by_name(client: Client, name: str, data: bytes, sentence: str) -> None:
    answer = send(client, files=[text_file("good.txt", b"good"), text_file(name, data)])
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    assert "“good.txt”" not in page
    assert [work.title for work in DraftWork.objects.all()] == ["good"], "what could be read is kept"
    assert not Case.objects.exists()


def test_the_name_of_a_file_is_a_title_and_never_a_path(client: Client) -> None:
    send(client, title="", text="", files=[text_file("../../etc/passwd.txt", b"root of a poem")])
    assert Case.objects.get().items.get().title == "passwd"


def test_markup_in_a_title_is_shown_as_text(client: Client) -> None:
    page = send(client, title="<script>alert(1)</script>", declared=None).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_form_works_only_with_its_own_token() -> None:
    answer = Client(enforce_csrf_checks=True).post("/opt-out/", GOOD)
    assert answer.status_code == 403
    assert "This form was open too long" in answer.content.decode()
    assert not Case.objects.exists()


def test_neither_name_nor_address_stand_in_ledger_jobs_or_logs(
    client: Client, caplog: pytest.LogCaptureFixture, django_capture_on_commit_callbacks: Any
) -> None:
    with caplog.at_level(logging.DEBUG), django_capture_on_commit_callbacks(execute=True):
        send(client)
        case = Case.objects.get()
        client.post(f"/confirm/{link_token(case.public_id, 'confirm')}/")
    openings = str(list(LedgerOpening.objects.values_list("body", "actor_label")))
    leaves = b"".join(bytes(opening.entry.leaf) for opening in LedgerOpening.objects.select_related("entry"))
    jobs = str(list(Job.objects.values()))
    for private in ("zoe@example.org", "Ængström", "Salt Orchard"):
        assert private not in openings + jobs + caplog.text
        assert private.encode() not in leaves
        assert private.encode() not in bytes(case.claimant.__dict__["name"]) + bytes(case.claimant.__dict__["email"])
