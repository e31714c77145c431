"""A sealed report and the bundle around it, made once per test process; and those of a forger with own keys."""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from governance.evidence import bundle, identity, outside_time, pdf, schema, seal
from governance.evidence.checkpoint import make_checkpoint, verifier_key
from governance.evidence.leaf import Leaf, commit_body
from governance.evidence.merkle import Tree, leaf_hash
from lethe_witness.__main__ import State, Witness
from lethe_witness.__main__ import verifier_key as witness_key
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed

SALT = b"s" * 32


@dataclass(frozen=True)
class Example:
    """All parts of one bundle."""

    fingerprint: str
    ledger_key: str
    readme: bytes
    pdf: bytes
    evidence: bytes
    ledger: bytes
    tree: Tree
    key: Ed25519PrivateKey

    @property
    def bundle(self) -> bytes:
        return bundle.pack(readme=self.readme, pdf=self.pdf, evidence=self.evidence, ledger=self.ledger)

    def with_parts(self, **parts: bytes) -> bytes:
        files = {"readme": self.readme, "pdf": self.pdf, "evidence": self.evidence, "ledger": self.ledger}
        return bundle.pack(**{**files, **parts})

    def note(self, size: int) -> str:
        return make_checkpoint(origin=make.ORIGIN, size=size, root=self.tree.root(size), key=self.key)


def witness_of(issuer: Ed25519PrivateKey) -> Witness:
    """The witness of an issuer: the genuine one's is outside of it, a forger brings another of the same name."""
    seed = hashlib.sha256(b"witness" + (b"" if issuer is make.LEDGER_KEY else issuer.private_bytes_raw())).digest()
    return Witness(name="witness.example/w1", key=Ed25519PrivateKey.from_private_bytes(seed), logs=[],
                   state=State(Path(tempfile.mkdtemp(prefix="lethe-witness-")) / "state"),
                   clock=lambda: 1_795_000_000.0)  # fmt: skip


def bundled(
    document: dict[str, Any], data: bytes, fingerprint: str, key: Ed25519PrivateKey, *, timed_at: str = ""
) -> Example:
    """The bundle of a sealed file whose evidence is `document`; six more entries come between it and its own.

    `timed_at`: address of the authority whose time stamp lies over the ledger's checkpoint.
    """
    evidence = schema.build(document)
    tree, _kept = make.ledger_of({**document, "ledger": None})
    words = bundle.readme(document)
    body = {"pdf": schema.digest(data), "evidence": schema.digest(evidence), "readme": schema.digest(words)}
    for index in range(8, 14):
        tree.append(leaf_hash(b"entry %d" % index))
    leaf = Leaf(index=14, at="2026-11-23T09:00:01.000Z", action="report.sealed",
                case=make.case_commitment(make.COMMITMENT_KEY, "case"), actor="system:reporting",
                body=commit_body(body, SALT))  # fmt: skip
    tree.append(leaf_hash(leaf.to_bytes()))
    verifier = verifier_key(make.ORIGIN, key.public_key())
    note = make_checkpoint(origin=make.ORIGIN, size=len(tree), root=tree.root(), key=key)
    witness = witness_of(key)
    ledger = bundle.ledger_file(
        verifier_key=verifier,
        checkpoint=note + witness._sign(note.partition("\n\n")[0].encode() + b"\n"),
        witnesses=[witness_key(witness.name, witness.key)],
        entry=make.opened((leaf, SALT, body), tree),
        consistency=tree.consistency_proof(8),
        time=outside_time.stamp(note.encode(), timed_at) if timed_at else b"",
    )
    return Example(fingerprint, verifier, words, data, evidence, ledger, tree, key)


@functools.cache
def genuine() -> Example:
    one = sealed()
    return bundled(json.loads(one.evidence), one.data, one.fingerprint, make.LEDGER_KEY)


@functools.cache
def forged() -> Example:
    """The same report as a forger makes it: own seal, own ledger key, the issuer's names."""
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"forger").digest())
    document = copy.deepcopy(json.loads(sealed().evidence))
    document["report"]["number"] = "LR-2026-0001"
    bare = {**document, "ledger": None}
    tree, kept = make.ledger_of(bare)
    document["ledger"] = {
        "verifier_key": verifier_key(make.ORIGIN, key.public_key()),
        "checkpoint": make_checkpoint(origin=make.ORIGIN, size=8, root=tree.root(), key=key),
        "entries": [make.opened(kept[index], tree) for index in (3, 6)],
    }
    folder = Path(tempfile.mkdtemp(prefix="lethe-forger-")) / "seal"
    identity.create_seal_identity(folder, "Meridian Loom AG")
    own = identity.load_seal(folder)
    data = seal.seal(pdf.render(schema.build(document)), key=own)
    return bundled(document, data, identity.fingerprint(own.certificate), key)
