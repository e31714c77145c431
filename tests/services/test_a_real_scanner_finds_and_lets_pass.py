"""ClamAV itself, with one signature written by hand: over TCP and its socket, through archives, beyond its limits."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import Any

import pytest

from governance import clamd
from governance.models import Upload
from governance.services import uploads, work_files
from governance.services.work_reading import WorkFile
from tests.governance.conftest import file_case
from tests.services.conftest import LANTERN

pytestmark = [pytest.mark.services, pytest.mark.django_db(databases=["default", "keyring"])]
NAME = "Lethe.Test.Lantern.UNOFFICIAL"


def zipped(data: bytes) -> bytes:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("poem.txt", data)
    return box.getvalue()


@pytest.mark.parametrize("way", [0, 1], ids=["tcp", "socket"])
def test_it_finds_what_it_knows_also_inside_archives_and_far_into_a_file(
    clamd_addresses: tuple[str, str], way: int
) -> None:
    address = clamd_addresses[way]
    found = (LANTERN, b"x" * 3_000_000 + LANTERN, zipped(LANTERN), gzip.compress(LANTERN), zipped(zipped(LANTERN)))
    assert [clamd.scan(data, address) for data in found] == [NAME] * 5
    passed = (b"", b"the ebb", LANTERN[:-1], zipped(b"the ebb"), b"x" * 3_000_000)
    assert [clamd.scan(data, address) for data in passed] == [""] * 5


def test_what_is_longer_than_it_reads_is_not_called_clean(clamd_addresses: tuple[str, str]) -> None:
    for address in clamd_addresses:
        with pytest.raises(clamd.Unreachable):
            clamd.scan(b"x" * 5_000_000 + LANTERN, address)


def test_a_file_of_a_claimant_goes_through_it(clamd_addresses: tuple[str, str], settings: Any) -> None:
    settings.CLAMD = clamd_addresses[1]
    case = file_case()
    rows = [uploads.upload_take(case=case, name="a.txt", data=data) for data in (LANTERN, b"the ebb")]
    assert [row.state for row in rows] == [Upload.State.INFECTED, Upload.State.CLEAN]
    assert (rows[0].artifact, rows[1].scanner) == ("", "ClamAV") and NAME in rows[0].why
    files = [WorkFile(name="b.txt", data=data) for data in (LANTERN, b"the tide")]
    _added, refused = work_files.works_add(case=case, items=[], files=files)
    assert len(refused) == 1 and "the tide" in [item.text for item in case.items.all()]
