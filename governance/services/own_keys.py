"""The keys beside the seal's: of the ledger, of statements about models, of the feeds.

All are the signing worker's: in files of the folder of the seal, or where they cannot be taken out of. A key in a token
or key service leaves its name in that folder.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.conf import settings

from governance.errors import Unfit
from governance.evidence import dsse
from governance.evidence.checkpoint import NoteSigner
from governance.evidence.errors import SealError
from governance.secrets import read_secret, secrets_folder
from governance.services import seals

LEDGER_KEY: Final = "ledger.key.pem"
FEED_KEY: Final = "feed.key.pem"
#: Where it lay among the secrets of all processes, and where the next one waits now.
OLD_FEED_KEY: Final = "feed.key"
NEXT_FEED: Final = "next-feed"
LEDGER_NAME, MODELS_NAME, FEED_NAME = "ledger.key.name", "models.key.name", "feed.key.name"


@dataclass(frozen=True)
class Elsewhere:
    """A key of statements in a token or key service: see `dsse.StatementSigner`."""

    kind: str
    name: str

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """From where it lies."""
        return seals.elsewhere(self.kind).public(self.name)

    def sign(self, data: bytes) -> bytes:
        """ECDSA over SHA-256 of `data`, in DER."""
        return seals.elsewhere(self.kind).sign(self.name, data)


@dataclass(frozen=True)
class _Edwards:
    """An Ed25519 key: its file, or the file with its name in the token; where it lies by which setting."""

    what: str
    file: str
    name: str
    setting: str

    @property
    def kind(self) -> str:
        return str(getattr(settings, self.setting))

    def make(self, folder: Path) -> None:
        if (folder / self.file).exists() or (folder / self.name).exists():
            return
        if self.kind == seals.TOKEN:
            from governance.evidence import token_key

            name = seals.new_name(self.what)
            token_key.make_ed25519(seals.token(), name)
            seals.write_new(folder / self.name, name.encode())
        else:
            self.write(folder, Ed25519PrivateKey.generate())

    def write(self, folder: Path, key: Ed25519PrivateKey) -> None:
        seals.write_new(folder / self.file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def open(self, folder: Path) -> NoteSigner:
        _agree(folder, self.file, self.name, self.kind, f"LETHE_{self.setting}")
        if self.kind == seals.TOKEN:
            from governance.evidence import token_key

            return token_key.TokenNotes(token=seals.token(), key=(folder / self.name).read_text().strip())
        key = load_pem_private_key((folder / self.file).read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise Unfit(f"{self.file} is no Ed25519 key.")
        return key


_LEDGER: Final = _Edwards("ledger", LEDGER_KEY, LEDGER_NAME, "LEDGER_KEY")
_FEED: Final = _Edwards("feed", FEED_KEY, FEED_NAME, "FEED_KEY")


def ledger_make(folder: Path) -> None:
    """A key for checkpoints where there is none yet.

    Raises:
        SealError, SealUnavailable: the token is not there, or knows no Ed25519.
    """
    _LEDGER.make(folder)


def ledger_open(folder: Path) -> NoteSigner:
    """The key that signs checkpoints. It is where it was made: another setting does not move it.

    Raises:
        Unfit: the setting and the folder disagree, or the file holds another kind of key. SealError: it is missing.
    """
    return _LEDGER.open(folder)


def feed_make(folder: Path) -> None:
    """A key for feeds where there is none yet; raises as `ledger_make`."""
    _FEED.make(folder)


def feed_open(folder: Path) -> NoteSigner:
    """The key that signs the pages of feeds; raises as `ledger_open`."""
    return _FEED.open(folder)


def feed_public(key: NoteSigner) -> str:
    """The public half, 32 bytes in base64: whoever subscribes keeps it and compares."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def feed_take_over(folder: Path) -> None:
    """The feeds' key was a secret of the web processes once, and so was one that waited: both come here."""
    for old, place in ((OLD_FEED_KEY, folder), (f"{OLD_FEED_KEY}.next", folder / NEXT_FEED)):
        secret = secrets_folder() / old
        if secret.exists() and not (place / FEED_KEY).exists():
            place.mkdir(mode=0o700, exist_ok=True)
            _FEED.write(place, Ed25519PrivateKey.from_private_bytes(read_secret(old)[:32]))
        secret.unlink(missing_ok=True)


def models_make(folder: Path) -> None:
    """A key for statements about models where there is none yet."""
    if (folder / dsse.KEY_FILE).exists() or (folder / MODELS_NAME).exists():
        return
    if settings.MODELS_KEY == seals.FILE:
        dsse.create_key(folder)
    else:
        name, _public = seals.elsewhere(settings.MODELS_KEY).make("models")
        seals.write_new(folder / MODELS_NAME, name.encode())


def models_open(folder: Path) -> dsse.StatementSigner:
    """The key that signs statements about models.

    Raises:
        Unfit: the setting and the folder disagree. SealError: missing, unreadable or of another kind.
    """
    _agree(folder, dsse.KEY_FILE, MODELS_NAME, settings.MODELS_KEY, "LETHE_MODELS_KEY")
    if settings.MODELS_KEY == seals.FILE:
        return dsse.FileSigner(folder)
    return Elsewhere(settings.MODELS_KEY, (folder / MODELS_NAME).read_text().strip())


def _agree(folder: Path, file: str, name: str, kind: str, setting: str) -> None:
    wanted, other = (file, name) if kind == seals.FILE else (name, file)
    if (folder / wanted).exists():
        return
    if (folder / other).exists():
        raise Unfit(f"{setting}={kind}, but {folder} holds {other}: a key stays where it was made. Set {setting} back; "
                    "whoever trusts the key would have to be told of another one.")  # fmt: skip
    raise SealError(f"{folder} holds no {wanted}. Run `python manage.py bootstrap` as the signing worker.")
