"""The ledger's key and the one of statements about models in a token: made there, used there, never on a disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute
from pkcs11.exceptions import AttributeValueInvalid, MechanismInvalid

from governance.errors import Unfit
from governance.evidence import dsse, token_key
from governance.evidence.errors import SealError, SealUnavailable
from governance.management.commands.bootstrap import make_seal
from governance.models import Feed, FeedPage, LedgerCheckpoint
from governance.services import checkpoints, feed_signing, known_keys, own_keys, witnesses
from lethe_verify import ec, note
from lethe_verify.statements import read_statement
from tests.governance import tokens
from tests.governance.test_ledger_tiles import write
from tests.governance.test_seal_keys import NEEDS_TOKEN, token_house
from tests.governance.test_what_we_tell_machines import signed as a_page

__all__ = ["token_house"]
pytestmark = NEEDS_TOKEN


@pytest.fixture
def whole(token_house: Path, settings: Any) -> Path:  # noqa: F811
    """An installation all of whose keys lie in the token."""
    settings.LEDGER_KEY = settings.MODELS_KEY = settings.FEED_KEY = "pkcs11"
    settings.SEAL_CERTIFICATE, settings.LEDGER_VERIFIER = token_house / "seal.crt.pem", token_house / "ledger.vkey"
    settings.MODEL_VERIFIER, settings.FEED_VERIFIER = token_house / "models.pub.pem", token_house / "feeds.pub"
    make_seal(token_house / "seal")
    return token_house


def test_checkpoints_and_statements_are_signed_in_the_token(whole: Path, settings: Any) -> None:
    kept = {file.name: file.read_text() for file in (whole / "seal").iterdir()}
    assert {"seal.key.name", "ledger.key.name", "models.key.name", "feed.key.name"} <= set(kept)
    assert not any("PRIVATE" in text for text in kept.values())
    make_seal(whole / "seal")
    assert kept == {file.name: file.read_text() for file in (whole / "seal").iterdir()}, "a second run makes nothing"
    write(3)
    signed, verifier = checkpoints.checkpoint_make(), settings.LEDGER_VERIFIER.read_text().strip()
    assert note.verify(signed.note, verifier).size == 3 and known_keys.current("ledger") == verifier
    signer = own_keys.models_open(whole / "seal")
    made = dsse.bundle(dsse.statement(subjects=[], kind="https://example/x", predicate={"a": 1}), signer)
    point = signer.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert read_statement(made, ec.point(ec.P256, point), "one")["predicate"] == {"a": 1}
    assert dsse.public_pem(signer.public_key) == settings.MODEL_VERIFIER.read_bytes()
    assert feed_signing.feeds_sign() == len(Feed)
    for page in FeedPage.objects.all():
        told = json.loads(bytes(page.body))
        a_page(told)
        assert told["_lethe"]["public_key"] == known_keys.current("feed")


def test_what_is_wrong_is_named_and_nothing_is_signed(
    whole: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(2)
    (whole / "pin").write_text("0000")
    with pytest.raises(SealUnavailable, match="refused the PIN"):
        checkpoints.checkpoint_make()
    assert "not tried again" in witnesses.ledger_sign()[0]
    assert not LedgerCheckpoint.objects.exclude(note="").exists()
    (whole / "pin").write_text("7391")
    settings.LEDGER_KEY = settings.MODELS_KEY = settings.FEED_KEY = "file"
    for open_ in (own_keys.ledger_open, own_keys.models_open, own_keys.feed_open):
        with pytest.raises(Unfit, match="a key stays where it was made"):
            open_(whole / "seal")
        with pytest.raises(SealError, match="bootstrap"):
            open_(whole)
    settings.LEDGER_KEY = "pkcs11"

    def no_edwards(*_args: Any) -> None:
        raise MechanismInvalid

    with monkeypatch.context() as patched:
        patched.setattr(token_key, "_generate", no_edwards)
        with pytest.raises(SealError, match="knows no Ed25519"):
            own_keys.ledger_make(whole)
    assert checkpoints.checkpoint_make().note


def test_a_key_that_is_refused_does_not_stay_in_the_token(token_house: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    there = tokens.token()
    for refusal, why in (
        (AttributeValueInvalid(), "knows no Ed25519"),
        (SealError("is not Ed25519"), "is not Ed25519"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(token_key, "_ed25519", Mock(side_effect=refusal))
            with pytest.raises(SealError, match=why):
                token_key.make_ed25519(there, "refused")
        with there.session() as opened:
            assert not list(opened.get_objects({Attribute.LABEL: "refused"}))
    assert token_key.make_ed25519(there, "refused").public_key()  # the name is free
