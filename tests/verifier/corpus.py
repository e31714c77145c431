"""The tamper corpus: files that are not what was sealed, by every way known to us. Seeded: each can be made again.

`mutations(n)` gives the named attacks first, then random flips, cuts, appends and splices up to n.
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pikepdf

from governance.evidence import bundle, schema, seal
from governance.evidence.leaf import canonical
from tests.governance import evidence_example as make
from tests.governance.evidence_sealed import sealed
from tests.verifier.example import Example, forged, genuine

Named = Iterator[tuple[str, bytes]]
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def mutations(count: int, seed: int = 20261129) -> Named:
    """At least all named attacks, and `count` files in all. None is the genuine report or bundle."""
    one, made = genuine(), 0
    for name, data in named(one):
        yield name, data
        made += 1
    rng = random.Random(seed)
    while made < count:
        what = rng.choice(list(RANDOM))
        data = RANDOM[what](rng, one.pdf if rng.random() < 0.6 else one.bundle)
        if data not in (one.pdf, one.bundle):
            yield f"{what} {made}", data
            made += 1


def named(one: Example) -> Named:
    """Attacks by name."""
    yield from hexadecimal(one.pdf)
    yield from structure(one.pdf)
    yield from saved_again(one.pdf)
    yield from incremental(one.pdf)
    yield from resealed()
    yield from parts(one)
    yield from ledgers(one)
    yield from archives(one.bundle)


def contents(pdf: bytes) -> tuple[int, int]:
    """Where the signature's hexadecimal text lies, with its brackets."""
    found = re.search(rb"/ByteRange \[\s*0 (\d+) (\d+) \d+\s*\]", pdf)
    assert found
    return int(found[1]), int(found[2])


def hexadecimal(pdf: bytes) -> Named:
    """What no PDF signature covers: the text of the signature itself, and what it has in several forms."""
    start, end = contents(pdf)
    text = pdf[start:end]
    used = start + len(text.rstrip(b"0>"))
    yield "lower case hexadecimal", pdf[:start] + text.lower() + pdf[end:]
    letter = next(at for at in range(start, used) if pdf[at : at + 1] in b"ABCDEF")
    yield "one lower case digit", pdf[:letter] + pdf[letter : letter + 1].lower() + pdf[letter + 1 :]
    for filling in (b"1", b" ", b"\n", b"F", b"\x00", b">"):
        yield f"padding {filling!r}", pdf[: end - 2] + filling + pdf[end - 1 :]
        yield f"first padding {filling!r}", pdf[: used + 2] + filling + pdf[used + 3 :]
    for at in range(start, used, max(1, (used - start) // 40)):
        yield f"signature flip at {at}", pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]
    yield "the other ECDSA signature", _twin(pdf, start, end)


def _twin(pdf: bytes, start: int, end: int) -> bytes:
    from asn1crypto import cms
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    info = cms.ContentInfo.load(bytes.fromhex(pdf[start + 1 : end - 1].decode()))
    signer = info["content"]["signer_infos"][0]
    r, s = decode_dss_signature(signer["signature"].native)
    signer["signature"] = encode_dss_signature(r, N - s)
    text = info.dump(force=True).hex().upper().encode().ljust(end - start - 2, b"0")
    return pdf[: start + 1] + text + pdf[end - 1 :]


def structure(pdf: bytes) -> Named:
    """Cuts at every revision, bytes before and after, values of the seal exchanged at equal length."""
    ends = [found.end() for found in re.finditer(rb"%%EOF\n", pdf)]
    for end in ends[:-1]:
        yield f"cut back to the revision of {end} bytes", pdf[:end]
    for tail in (b"\n", b" ", b"\x00", b"%%EOF\n", b"% a remark\n", b"garbage", pdf):
        yield f"appended {tail[:9]!r}", pdf + tail
    for head in (b"\n", b"%PDF-1.7\n", b"\x00" * 4):
        yield f"prefixed {head!r}", head + pdf
    for old, new in (
        (b"/P 1\n", b"/P 2\n"), (b"PAdES\\055B\\055B", b"PAdES\\055B\\055T"), (b"/DocMDP ", b"/FieldMDP "),
        (b"/ETSI.CAdES.detached", b"/adbe.pkcs7.detached"), (b"/ByteRange [0 ", b"/ByteRange [1 "),
        (b"0\\0722", b"0\\0723"), (b"startxref", b"startxreF"), (b"/Prev ", b"/Perv "), (b"/V 1196", b"/V 1195"),
    ):  # fmt: skip
        at = pdf.rfind(old)
        if at >= 0:
            yield f"{old!r} made {new!r}", pdf[:at] + new + pdf[at + len(old) :]
    first, second = contents(pdf)
    shorter = re.sub(rb"(/ByteRange \[0 \d+ \d+ )\d+", rb"\g<1>1", pdf, count=1)
    yield "a seal that covers less", shorter
    yield "the signature emptied", pdf[: first + 1] + b"0" * (second - first - 2) + pdf[second - 1 :]


def saved_again(pdf: bytes) -> Named:
    """Written anew by another program, with and without its seal."""
    for what in ("as it is", "without its seal", "without the field"):
        with pikepdf.open(io.BytesIO(pdf)) as document:
            if what == "without its seal":
                del document.Root.AcroForm.Fields[0]["/V"]
            elif what == "without the field":
                del document.Root.AcroForm
            out = io.BytesIO()
            document.save(out)
        yield f"saved again {what}", out.getvalue()


def incremental(pdf: bytes) -> Named:
    """Updates after the seal: the attacks of shadowing, overlay, hidden content and exchanged attachment."""
    for change in CHANGES:
        yield f"update after the seal: {change}", appended(pdf, change)


CHANGES = ("title", "overlay", "annotation", "attachment", "language", "outline", "field", "metadata", "nothing")


def appended(pdf: bytes, change: str) -> bytes:
    """An incremental update by a second library."""
    writer = updated(pdf, change)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue() + (b"%%EOF\n" if change == "nothing" and out.getvalue() == pdf else b"")


def updated(pdf: bytes, change: str) -> Any:
    """The same, not yet written."""
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    page = writer.root["/Pages"]["/Kids"][0]
    name, text = generic.NameObject, generic.TextStringObject
    if change == "title":
        info = writer.trailer.raw_get("/Info").get_object()
        info[name("/Title")] = text("Everything was forgotten")
        writer.mark_update(writer.trailer.raw_get("/Info"))
    elif change == "overlay":
        stream = generic.StreamObject(stream_data=b"1 0 0 rg 0 0 600 800 re f")
        page["/Contents"] = generic.ArrayObject([page.raw_get("/Contents"), writer.add_object(stream)])
        writer.update_container(page)
    elif change == "annotation":
        note = generic.DictionaryObject({name("/Type"): name("/Annot"), name("/Subtype"): name("/FreeText")})
        note[name("/Contents")], note[name("/F")] = text("Void"), generic.NumberObject(4)
        page[name("/Annots")] = generic.ArrayObject([writer.add_object(note)])
        writer.update_container(page)
    elif change == "attachment":
        entry = writer.root["/Names"]["/EmbeddedFiles"]["/Names"][1]
        entry["/EF"][name("/F")] = writer.add_object(generic.StreamObject(stream_data=schema.build(make.bare())))
        writer.update_container(entry)
    elif change == "field":
        field = writer.root["/AcroForm"]["/Fields"][0]
        field[name("/TU")] = text("Seal of somebody else")
        writer.update_container(field)
    elif change == "metadata":
        stream = generic.StreamObject(stream_data=b"<x/>")
        writer.root[name("/Metadata")] = writer.add_object(stream)
        writer.update_root()
    elif change in ("language", "outline"):
        writer.root[name("/Lang" if change == "language" else "/PageMode")] = text("de")
        writer.update_root()
    return writer


def resealed() -> Named:
    """By the genuine key, over what it never should: evidence that the pages were not made from."""
    one = sealed()
    for what, evidence in (("other evidence", schema.build(make.approximate())), ("no evidence", b"{}")):
        with pikepdf.open(io.BytesIO(one.base)) as document:
            document.Root.Names.EmbeddedFiles.Names[1].EF.F.write(evidence)
            out = io.BytesIO()
            document.save(out, deterministic_id=True)
        yield f"resealed over {what}", seal.seal(out.getvalue(), key=one.key)


def parts(one: Example) -> Named:
    """Parts of a bundle exchanged for those of another, altered or empty ones; and the forger's own files."""
    other = forged()
    yield "forged report", other.pdf
    yield "forged bundle", other.bundle
    yield "forged report in the genuine bundle", one.with_parts(pdf=other.pdf)
    yield "forged evidence beside the report", one.with_parts(evidence=other.evidence)
    yield "forged ledger beside the report", one.with_parts(ledger=other.ledger)
    yield "all forged but the report", other.with_parts(pdf=one.pdf)
    yield "another README", one.with_parts(readme=one.readme + b"Trust us.\n")
    yield "the forger's README", one.with_parts(readme=other.readme)
    yield "evidence without its last byte", one.with_parts(evidence=one.evidence[:-1])
    yield "evidence with white space", one.with_parts(evidence=one.evidence + b"\n")
    for name in ("readme", "pdf", "evidence", "ledger"):
        yield f"empty {name}", one.with_parts(**{name: b""})


def ledgers(one: Example) -> Named:
    """Every value of the ledger file edited; a forked ledger; the checkpoint of another size."""
    good: dict[str, Any] = json.loads(one.ledger)
    entry = good["entries"][0]

    def edited(**changes: Any) -> bytes:
        return one.with_parts(ledger=canonical({**good, **changes}))

    def leaf(**changes: Any) -> bytes:
        return edited(entries=[{**entry, "leaf": {**entry["leaf"], **changes}}])

    yield "leaf: another time", leaf(at="2026-11-23T09:00:02.000Z")
    yield "leaf: another action", leaf(action="report.reviewed")
    yield "leaf: another case", leaf(case="0" * 64)
    yield "leaf: another actor", leaf(actor="system:other")
    yield "leaf: another body", leaf(body="0" * 64)
    yield "leaf: another place", leaf(index=13)
    yield "leaf: another version", leaf(v=2)
    yield "body edited", edited(entries=[{**entry, "body": {**entry["body"], "pdf": "sha256:" + "0" * 64}}])
    yield "salt edited", edited(entries=[{**entry, "salt": "0" * 64}])
    yield "proof of another entry", edited(entries=[{**entry, "proof": [h.hex() for h in one.tree.inclusion_proof(3)]}])
    for at in range(len(entry["proof"])):
        wrong = [("0" * 64 if place == at else text) for place, text in enumerate(entry["proof"])]
        yield f"proof: hash {at} wrong", edited(entries=[{**entry, "proof": wrong}])
        yield f"proof: hash {at} missing", edited(entries=[{**entry, "proof": wrong[:at]}])
    yield "proof longer", edited(entries=[{**entry, "proof": [*entry["proof"], "0" * 64]}])
    yield "no entry", edited(entries=[])
    yield "entry twice", edited(entries=[entry, entry])
    for at in range(len(good["consistency"])):
        yield f"consistency: {at} hashes", edited(consistency=good["consistency"][:at])
    yield "consistency longer", edited(consistency=[*good["consistency"], "0" * 64])
    yield "an unknown member", edited(note="trust me")
    yield from _checkpoints(one, good, edited)
    yield "not canonical", one.with_parts(ledger=json.dumps(good).encode())


def _checkpoints(one: Example, good: dict[str, Any], edited: Callable[..., bytes]) -> Named:
    for size in (1, 8, 14):
        yield f"checkpoint of {size} entries", edited(checkpoint=one.note(size))
    note = good["checkpoint"]
    for at in range(0, len(note), 9):
        letter = "A" if note[at] != "A" else "B"
        yield (
            f"checkpoint: flip at {at}",
            edited(checkpoint=note[:at] + letter + note[at + 1 :]),
        )
    yield "checkpoint by the forger", edited(checkpoint=json.loads(forged().ledger)["checkpoint"])
    yield "key of the forger", edited(verifier_key=forged().ledger_key)
    yield "a second signature", edited(checkpoint=note + note.split("\n")[-2] + "\n")
    yield "forked ledger", one.with_parts(ledger=forked(one))


def forked(one: Example) -> bytes:
    """The issuer's own key over a history in which the evidence's entry never was."""
    from governance.evidence.checkpoint import make_checkpoint
    from governance.evidence.merkle import Tree, leaf_hash

    good = json.loads(one.ledger)
    entry = good["entries"][0]
    tree = Tree(leaf_hash(b"rewritten %d" % index) for index in range(14))
    tree.append(leaf_hash(canonical(entry["leaf"])))
    return bundle.ledger_file(
        verifier_key=one.ledger_key,
        checkpoint=make_checkpoint(origin=make.ORIGIN, size=15, root=tree.root(), key=one.key),
        entry={**entry, "proof": [node.hex() for node in tree.inclusion_proof(14)]},
        consistency=tree.consistency_proof(8),
    )


def archives(data: bytes) -> Named:
    """The ZIP itself: missing parts, another order, compressed, with remarks, with things between its files."""
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}

    def zipped(chosen: dict[str, bytes], method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as made:
            made.comment = comment
            for name, content in chosen.items():
                made.writestr(zipfile.ZipInfo(name, bundle.EPOCH), content, method)
        return out.getvalue()

    for name in files:
        yield f"bundle without {name}", zipped({k: v for k, v in files.items() if k != name})
    yield "bundle in another order", zipped(dict(reversed(files.items())))
    yield "bundle compressed", zipped(files, zipfile.ZIP_DEFLATED)
    yield "bundle with a remark", zipped(files, comment=b"genuine")
    yield "bundle with one more file", zipped({**files, "extra.txt": b"x"})
    yield "bundle with a path", zipped({("../" + k if k == "README.txt" else k): v for k, v in files.items()})
    yield "bundle with a tail", data + b"\n"
    yield "bundle with another date", data.replace(b"\x00\x00\x21\x00", b"\x00\x00\x22\x00", 1)
    yield "bundle cut in its directory", data[:-30]


def _flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _splice(rng: random.Random, data: bytes) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice((1, 4, 30, 400, 4000))
    return data[:at] + rng.randbytes(size) + data[at + size :]


def _swap(rng: random.Random, data: bytes) -> bytes:
    size = rng.choice((1, 8, 64))
    one, two = sorted(rng.randrange(len(data) - size) for _ in range(2))
    two = max(two, one + size)
    return data[:one] + data[two : two + size] + data[one + size : two] + data[one : one + size] + data[two + size :]


def _inside(rng: random.Random, _data: bytes) -> bytes:
    """A flip in one file of the bundle, which is then packed anew as the house packs it."""
    one = genuine()
    part = rng.choice(("readme", "pdf", "evidence", "ledger"))
    return one.with_parts(**{part: _flip(rng, getattr(one, part))})


RANDOM: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "flip": _flip,
    "inside": _inside,
    "cut": lambda rng, data: data[: rng.randrange(len(data))],
    "append": lambda rng, data: data + rng.randbytes(rng.randrange(1, 64)),
    "insert": lambda rng, data: (at := rng.randrange(len(data)), data[:at] + rng.randbytes(3) + data[at:])[1],
    "delete": lambda rng, data: (at := rng.randrange(len(data)), data[:at] + data[at + 2 :])[1],
    "splice": _splice,
    "swap": _swap,
}
