"""Content credentials of real files: bound to the bytes, by a signer who is named, read without calling anybody."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from django.test import Client

from governance import content_credentials
from governance import proof_checks as checks
from governance.models import Case, Challenge, Role
from governance.policies import Actor, proof_unlocks_weights
from governance.services import proofs, uploads
from governance.tokens import link_token
from tests.governance.signed_pictures import Press, picture, press
from tests.governance.test_claimants_show_what_is_theirs import confirmed
from tests.governance.world import web

c2pa = pytest.importorskip("c2pa", reason="c2pa-python is optional and not installed")


@pytest.fixture(scope="module")
def signer() -> Press:
    return press()


def hand_in(case: Case, data: bytes, name: str = "tide.jpg") -> Challenge:
    file = uploads.upload_take(case=case, name=name, data=data)
    return proofs.challenge_begin(case=case, method="credentials", target=str(file.public_id), declared=True)


def refused(case: Case, data: bytes) -> str:
    with pytest.raises(Exception) as told:
        hand_in(case, data)
    return str(getattr(told.value, "code", told.value))


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_signed_file_is_bound_to_its_pixels_and_waits_for_a_person(
    kind: str, signer: Press, client: Client, people: dict[Role, Actor]
) -> None:
    case, signed = confirmed(), signer.sign(kind)
    row = hand_in(case, signed)
    seen = proofs.evidence_of(row)
    assert (row.state, row.level) == (Challenge.State.WAITING, 4) and not proof_unlocks_weights(case)
    assert (seen["where"], seen["what"], seen["size"]) == (f"tide.{kind}", "Vel Marun, Vel Marun Press", len(signed))
    assert seen["more"]["state"] == "Valid" and "on no list that this house trusts" in proofs.evidence_words(row)
    page = client.get(f"/status/{link_token(case.public_id, 'status')}/proof/").content.decode()
    assert "Its signer is on no list that we trust" in page
    proofs.challenge_judge(challenge=row, accept=True, reason="The press confirmed it.", actor=people[Role.LEGAL])
    assert proof_unlocks_weights(case)

    # One pixel's byte: the signature itself still holds, and belongs to other pixels.
    changed = bytearray(signed)
    changed[-40 if kind == "jpeg" else signed.rindex(b"IDAT") + 20] ^= 1
    state = content_credentials.manifest_store(bytes(changed), f"image/{kind}")
    assert content_credentials.altered(state)
    with pytest.raises(checks.NotShown, match="altered_file"):
        checks.credentials(bytes(changed), f"image/{kind}")


def test_a_file_that_was_changed_or_has_no_manifest_is_refused_with_its_own_reason(signer: Press) -> None:
    case, signed = confirmed(), signer.sign()
    changed = bytearray(signed)
    changed[-40] ^= 1
    assert refused(case, bytes(changed)) == "altered_file"
    assert refused(case, picture("jpeg")) == "no_credentials"
    forged = signed.replace(b"tide.jpeg", b"mine.jpeg")
    assert forged != signed and refused(case, forged) == "broken_credentials"
    assert not case.challenges.exists()


def test_a_signer_on_the_house_list_is_said_to_be_so(signer: Press, settings: Any) -> None:
    settings.CREDENTIAL_ANCHORS = signer.root
    row = hand_in(confirmed(), signer.sign())
    assert proofs.evidence_of(row)["more"]["state"] == "Trusted" and row.state == Challenge.State.WAITING
    assert "is on a list that we trust" in proofs.note_of(row)
    stranger = hand_in(confirmed(email="b@marun.example"), press().sign())
    assert proofs.evidence_of(stranger)["more"]["state"] == "Valid", "another authority of the same name"


def test_nothing_is_fetched_that_a_file_names(signer: Press) -> None:
    with web() as outside:
        away = signer.sign(remote=f"{outside.url}/manifest.c2pa")
        with pytest.raises(content_credentials.Unreadable, match="no_credentials"):
            content_credentials.manifest_store(away, "image/jpeg")
        assert outside.asked == []
        with pytest.raises(c2pa.C2paError):
            c2pa.Reader("image/jpeg", io.BytesIO(away))
        assert outside.asked == ["/manifest.c2pa"], "the library alone would have called"


def test_without_the_package_the_claimant_is_told_to_choose_another_way(
    signer: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = signer.sign()
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert refused(confirmed(), signed) == "no_reader"
