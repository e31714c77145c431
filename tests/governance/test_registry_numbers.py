"""Registry numbers are read as people write them; a wrong check digit is caught."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from governance.registry_numbers import registry_number


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("978-3-16-148410-0", "ISBN 978-3-16-148410-0"),
        ("ISBN: 3-16-148410-X", "ISBN 978-3-16-148410-0"),
        ("isbn 9783161484100", "ISBN 978-3-16-148410-0"),
        ("US-SKG-19-12345", "ISRC US-SKG-19-12345"),
        ("ISRC USSKG1912345", "ISRC US-SKG-19-12345"),
        ("T-034.524.680-1", "ISWC T-034.524.680-1"),
        ("iswc T0345246801", "ISWC T-034.524.680-1"),
        ("ISCC:KACT4EBWK27737D2AYCJRAL5Z36G76RFRMO4554RU26HZ4ORJGIVHDI", None),
    ],
)
def test_a_number_is_read_as_people_write_it(written: str, read: str | None) -> None:
    found = registry_number(written)
    assert str(found) == (read or f"ISCC {written}")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("978-3-16-148410-1", "is no valid ISBN"),
        ("T-034.524.680-2", "is no valid ISWC"),
        ("ISRC 12", "is no valid ISRC"),
        ("ISCC:KACT4EBWK27737D!", "is no valid ISCC"),
        ("ISCC:AAAA", "is no valid ISCC"),
        ("my first book", "is no ISBN, ISRC, ISWC or ISCC"),
        ("\u202e978", "is no ISBN"),
    ],
)
def test_a_wrong_number_is_named(written: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        registry_number(written)
