"""The weights of a version for whoever works with them: one ZIP, streamed, with the signed statements beside them.

Who took what stands in the ledger. What is to be deleted is not given out: a copy would outlive its day. Training data,
forget sets, lineages (they keep records) and excerpts of a match are no part of a version and never leave here.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

from django.db import transaction

from governance import dispatch
from governance.errors import Unfit
from governance.evidence import ledger
from governance.models import Disposal, ModelVersion
from governance.policies import Actor, Permission, demand
from governance.services import attestations

TAKEN_ACTION = "weights.taken"
#: Others hold what was to be forgotten, or never leave the laboratory.
OFFERED = (ModelVersion.State.CANDIDATE, ModelVersion.State.RELEASED)
CHUNK = 1 << 20
#: Seconds before 1980 do not exist in a ZIP: the same weights are the same file.
EPOCH = (1980, 1, 1, 0, 0, 0)


def refusal(version: ModelVersion) -> str:
    """Why the weights of a version are not given out; empty where they are."""
    if version.state not in OFFERED:
        state = version.get_state_display().lower()
        return f"{version} is {state}: only a candidate or the version in service is given out."
    if Disposal.objects.filter(artifact=version.artifact).exists():
        return f"The weights of {version} have a day on which they are deleted; a copy would outlive it."
    if not dispatch.exists(version.artifact):
        return f"The weights of {version} are not in the artefact store, or not all of their files."
    return ""


@transaction.atomic
def weights_take(*, version: ModelVersion, actor: Actor) -> Iterator[bytes]:
    """The pieces of the ZIP: the weights' files, and below `statements/` what was signed about them.

    The entry in the ledger is written before the first byte leaves. Each file is checked against its digest before its
    first byte; one that is damaged ends the stream, so that no whole file arrives.

    Raises:
        NotAllowed: the policy refuses the actor. Unfit: these weights are not given out, with the reason.
    """
    demand(actor, Permission.TAKE_WEIGHTS)
    if why := refusal(version):
        raise Unfit(why)
    files = attestations.files_of(version.artifact)
    for one in attestations.sets_of(version):
        if one.patch is None:
            files |= {f"statements/{name}": ref for name, ref in attestations.documents(one).items()}
    ledger.append(action=TAKEN_ACTION, actor=actor, body={"version": version.artifact, "files": len(files)})
    return _packed(files)


class _Pipe(io.RawIOBase):
    """What a ZIP is written into: it holds what was not handed on yet."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._held += piece
        return len(piece)

    def taken(self) -> bytes:
        """What was written since the last time."""
        piece, self._held = bytes(self._held), bytearray()
        return piece


def _packed(files: dict[str, str]) -> Iterator[bytes]:
    """Weights do not shrink, so that they are stored as they are; at most one piece and one file are held at a time."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for name, ref in sorted(files.items()):
            with dispatch.store().open(ref) as source, archive.open(_entry(name), "w", force_zip64=True) as out:
                while chunk := source.read(CHUNK):
                    out.write(chunk)
                    yield pipe.taken()
    yield pipe.taken()


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, EPOCH)
