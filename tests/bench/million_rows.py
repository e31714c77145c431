"""A million synthetic cases on PostgreSQL, made by the server itself, with sealed columns as they are stored.

Claimants without a key stand for people who cannot be read here; every hundredth has one, and pages are drawn from
their cases. Nothing of it is personal data: names are numbers.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

#: Every so many claimants one can be read.
READABLE = 100
#: Share of the cases, in thousandths: 700 closed, 300 open in every stage.
SHARES = (
    ("closed", 700), ("received", 10), ("proof", 40), ("review", 40), ("information", 20), ("matching", 20),
    ("decision", 90), ("planning", 20), ("unlearning", 10), ("verification", 10), ("release", 20), ("reporting", 10),
    ("notification", 10),
)  # fmt: skip
LAWS = "ARRAY['house','gdpr','gdpr','uk_gdpr','ccpa','lgpd']"
HAS_HITS = "('decision','planning','unlearning','verification','release','reporting','notification')"


def stage_sql(column: str = "r") -> str:
    """The stage of a case by a number from 0 to 999."""
    found, edge = [], 0
    for name, share in SHARES:
        edge += share
        found.append(f"WHEN {column} < {edge} THEN '{name}'")
    return f"CASE {' '.join(found)} END"


def run(sql: str, **names: Any) -> None:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, names or None)


def insert(table: str, source: str, columns: dict[str, str]) -> None:
    """Rows from `source`; a column that is not named and may not be null gets the emptiest value of its type."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s "
            "AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'",
            [table],
        )
        known = dict(cursor.fetchall())
    empty = {
        "character varying": "''", "text": "''", "boolean": "false", "jsonb": "'{}'", "bytea": "''::bytea", "date":
        "current_date", "timestamp with time zone": "now()", "uuid": "gen_random_uuid()",
    }  # fmt: skip
    full = {**{name: empty.get(kind, "0") for name, kind in known.items()}, **columns}
    names, values = ", ".join(f'"{name}"' for name in full), ", ".join(full.values())
    run(f"INSERT INTO {table} ({names}) SELECT {values} FROM {source}")


@contextmanager
def without_indexes(tables: list[str]) -> Iterator[None]:
    """Indexes that carry no constraint are made after the rows, and foreign keys are not looked up one by one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT IN "
            "(SELECT conname FROM pg_constraint) AND indexdef NOT LIKE '%%UNIQUE%%'",
            [tables],
        )
        kept = cursor.fetchall()
        for name, _definition in kept:
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute("SET session_replication_role = replica")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for _name, definition in kept:
            cursor.execute(definition)


def readable(number: int) -> None:
    """Subjects with keys, and what each has sealed, in a table of their own from which the rows are made."""
    from governance.models import Claimant, ClaimedItem, Match
    from governance.models.vault import keys_held, subject_create
    from governance.tokens import email_mark

    run(
        "CREATE TABLE bench_readable (nr int, subject uuid, name bytea, email bytea, mark text, title bytea, "
        "text bytea, excerpt bytea)"
    )
    sql = "COPY bench_readable FROM STDIN"
    words = "the salt orchard keeps its nine white rows above the tide that nobody remembers " * 12
    with keys_held(), connection.cursor() as cursor, cursor.copy(sql) as copy:
        for n in range(number):
            subject: uuid.UUID = subject_create()
            claimant = Claimant(subject=subject, name=f"Person {n}", email=f"person{n}@bench.example")
            item = ClaimedItem(subject=subject, title=f"Work {n}", text=words)
            hit = Match(subject=subject, excerpt=words.replace("white", "pale"))
            sealed = [claimant.__dict__["name"], claimant.__dict__["email"], email_mark(claimant.email),
                      item.__dict__["title"], item.__dict__["text"], hit.__dict__["excerpt"]]  # fmt: skip
            copy.write_row([n, subject, *sealed])


def claimants(cases: int) -> int:
    """One claimant for every four cases."""
    number = max(READABLE, cases // 4)
    readable(number // READABLE + 1)
    insert(
        "governance_claimant",
        f"generate_series(1, {number}) g LEFT JOIN bench_readable b ON g % {READABLE} = 0 AND b.nr = g / {READABLE}",
        {
            "id": "g", "subject": "coalesce(b.subject, gen_random_uuid())",
            "name": "coalesce(b.name, sha256(g::text::bytea))", "email": "coalesce(b.email, sha256(g::text::bytea))",
            "email_mark": "coalesce(b.mark, md5(g::text))", "created_at": "now()",
        },
    )  # fmt: skip
    return number


def cases(number: int, people: int, officers: list[int], proposers: list[int]) -> None:
    """Cases over four years; open ones came within 45 days, so that a third of them is past its date."""
    law = f"({LAWS})[1 + g % 6]"
    source = (
        f"(SELECT *, {stage_sql()} AS stage, current_date - CASE WHEN r < 700 THEN 40 + (h % 1400)::int "
        "ELSE (h % 45)::int END AS received FROM (SELECT g, abs(hashint8(g)) AS h, "
        f"abs(hashint8(g * 31 + 7)) % 1000 AS r FROM generate_series(1, {number}) g) one) two"
    )
    insert(
        "governance_case",
        source,
        {
            "id": "g", "public_id": "gen_random_uuid()",
            "number": "'LT-' || upper(substr(md5(g::text), 1, 5)) || '-' || lpad(upper(to_hex(g)), 6, '0')",
            "law": law, "kind": f"CASE WHEN {law} = 'house' THEN 'copyright' ELSE 'privacy' END",
            "channel": "'form'", "claimant_id": f"1 + (h / 7) % {people}", "status": "stage",
            "return_to": "CASE WHEN stage = 'information' THEN 'review' ELSE '' END",
            "disposition": "CASE WHEN stage IN ('closed','notification') THEN "
                           "(ARRAY['fulfilled','excluded','refused'])[1 + h % 3] ELSE '' END",
            "received_on": "received",
            "due_on": f"(received + CASE {law} WHEN 'ccpa' THEN interval '45 days' "
                      "WHEN 'lgpd' THEN interval '15 days' WHEN 'house' THEN interval '30 days' "
                      "ELSE interval '1 month' END)::date",
            "paused_on": "CASE WHEN stage = 'information' AND h % 3 = 0 THEN received + 5 END", "paused_days": "0",
            "extended_on": "CASE WHEN h % 25 = 0 THEN received + 9 END",
            "officer_id": f"CASE WHEN h % 10 = 0 THEN NULL ELSE (ARRAY{officers})[1 + h / 13 % {len(officers)}] END",
            "proposed_by_id": f"CASE WHEN stage = 'decision' AND h % 2 = 0 THEN "
                              f"(ARRAY{proposers})[1 + h / 17 % {len(proposers)}] END",
            "held_at": "CASE WHEN h % 500 = 0 THEN now() END", "status_token": "md5('s' || g)",
            "confirm_token": "md5('c' || g)", "created_at": "received::timestamptz",
            "changed_at": "now() - (h % 5000000) * interval '1 second'",
            "closed_at": "CASE WHEN stage = 'closed' THEN received + interval '20 days' END",
        },
    )  # fmt: skip


def parts() -> None:
    """Works, proofs, hits with their decisions, and what the ledger holds on each case."""
    base = ("governance_case c JOIN governance_claimant p ON p.id = c.claimant_id LEFT JOIN bench_readable b "
            "ON b.subject = p.subject")  # fmt: skip
    insert(
        "governance_claimeditem", f"{base}, generate_series(1, 1 + (c.id % 2)::int) n",
        {
            "case_id": "c.id", "subject": "p.subject", "position": "n",
            "form": "CASE WHEN c.kind = 'copyright' THEN 'text' ELSE 'fact' END",
            "title": "coalesce(b.title, sha256(c.id::text::bytea))",
            "text": "coalesce(b.text, sha256(c.id::text::bytea))",
        },
    )  # fmt: skip
    insert(
        "governance_proof", base,
        {"case_id": "c.id", "subject": "p.subject", "level": "CASE WHEN c.kind = 'copyright' THEN 3 ELSE 5 END",
         "recorded_at": "c.created_at"},
    )  # fmt: skip
    hit = f"c.status IN {HAS_HITS} OR (c.status = 'closed' AND c.id % 3 = 0)"
    insert(
        "governance_match",
        f"(SELECT c.id AS c, p.subject, b.excerpt, n FROM {base}, generate_series(0, 2 + (c.id % 500 = 1)::int * 97) n "
        f"WHERE {hit}) one JOIN governance_claimeditem i ON i.case_id = one.c AND i.position = 1",
        {
            "case_id": "c", "item_id": "i.id", "record_id": "1 + (c * 7 + n) % 100000", "subject": "one.subject",
            "method": "CASE WHEN n = 0 THEN 'exact' ELSE 'near_duplicate' END", "score": "0.9", "shared": "16",
            "of": "30", "excerpt": "coalesce(one.excerpt, sha256(c::text::bytea))",
        },
    )  # fmt: skip
    approved = "c.status <> 'decision'"
    insert(
        "governance_decision",
        "governance_match m JOIN governance_case c ON c.id = m.case_id "
        "WHERE c.status <> 'decision' OR c.proposed_by_id IS NOT NULL",
        {
            "match_id": "m.id", "choice": "'erase'", "ground": "'GDPR Art. 17(1)'", "reason": "''", "exception": "''",
            "proposed_by_id": "coalesce(c.proposed_by_id, (SELECT min(id) FROM governance_user WHERE role = 'legal'))",
            "proposed_at": "now()",
            "approved_by_id": f"CASE WHEN {approved} THEN "
                              "(SELECT min(id) FROM governance_user WHERE role = 'approver') END",
            "approved_at": f"CASE WHEN {approved} THEN now() END",
        },
    )  # fmt: skip


def entries() -> None:
    """What the ledger holds on each case."""
    insert(
        "governance_ledgerentry", "governance_case c, generate_series(0, 1) n",
        {"index": "(c.id - 1) * 2 + n", "at": "c.created_at + n * interval '1 hour'",
         "action": "CASE WHEN n = 0 THEN 'case.received' ELSE 'proof.recorded' END",
         "leaf": "'{}'::bytea", "hash": "sha256(c.id::text::bytea)"},
    )  # fmt: skip
    insert(
        "governance_ledgeropening", "governance_case c, generate_series(0, 1) n",
        {"entry_id": "(c.id - 1) * 2 + n", "case_id": "c.id", "actor_label": "'claimant'", "salt": "'x'::bytea",
         "body": "CASE WHEN n = 0 THEN jsonb_build_object('channel', 'form', 'due_on', c.due_on) "
                 "ELSE jsonb_build_object('level', 3) END"},
    )  # fmt: skip


def clocks() -> None:
    """The clock of each open case, as the law's newest rule makes it for a place."""
    from datetime import date

    from governance.clocks import LAWS
    from governance.clocks.rows import begin
    from governance.models import Case

    places = {"ccpa": "US-CA", "lgpd": "BR", "uk_gdpr": "GB", "gdpr": "DE"}
    for law in ("house", "gdpr", "uk_gdpr", "ccpa", "lgpd"):
        case = Case(law=law, kind="copyright" if law == "house" else "privacy")
        assert case.kind in LAWS[law].kinds
        made = begin(case, received=date(2026, 10, 1), because="bench", place=places.get(law, ""))
        insert(
            "governance_caseclock", f"governance_case c WHERE c.law = '{law}' AND c.status <> 'closed'",
            {"case_id": "c.id", "law": "c.law", "version": str(made.version), "country": f"'{made.country}'",
             "subdivision": f"'{made.subdivision}'", "zone": f"'{made.zone}'", "due": "c.due_on",
             "received_at": "c.received_on::timestamptz", "because": "'bench'", "created_at": "now()"},
        )  # fmt: skip


def stays_and_answers() -> None:
    """Four stages that each case has left, over its years; and an answer to every third case, of which few wait."""
    insert(
        "governance_stagestay", "governance_case c, generate_series(0, 3) n",
        {"case_id": "c.id", "stage": "(ARRAY['received','proof','review','matching'])[1 + n]",
         "entered_at": "c.received_on::timestamptz", "left_on": "c.received_on + 1 + n * 2",
         "hours": "abs(hashint8(c.id * 4 + n)) % 400"},
    )  # fmt: skip
    insert(
        "governance_answer", "governance_case c JOIN governance_claimant p ON p.id = c.claimant_id WHERE c.id % 3 = 0",
        {"case_id": "c.id", "subject": "p.subject", "text": "sha256(c.id::text::bytea)", "given_at": "c.changed_at",
         "taken_up_at": "CASE WHEN c.status NOT IN ('proof', 'review') OR c.id % 2 = 0 THEN c.changed_at END"},
    )  # fmt: skip


def plans(version: int, dataset: int) -> None:
    """A plan for every case that came so far, and the signatures under half of those that wait for release."""
    insert(
        "governance_plan",
        "governance_case c WHERE c.status IN ('planning','unlearning','verification','release')",
        {
            "case_id": "c.id", "attempt": "1", "method": "'graddiff'", "config": "'{}'", "seed": "1",
            "base_id": str(version), "dataset_id": str(dataset), "forget_count": "3", "policy": "'{}'",
            "state": "CASE WHEN c.status = 'planning' THEN (ARRAY['proposed','failed'])[1 + c.id % 2] "
                     "WHEN c.status = 'release' THEN 'passed' ELSE 'confirmed' END",
            "created_at": "now()",
        },
    )  # fmt: skip
    insert(
        "governance_release", "governance_case c WHERE c.status = 'release' AND c.id % 2 = 0",
        {"case_id": "c.id", "version_id": str(version), "legal_at": "now()",
         "legal_by_id": "(SELECT min(id) FROM governance_user WHERE role = 'legal')"},
    )  # fmt: skip


TABLES = ["governance_" + name for name in (
    "case", "claimant", "claimeditem", "proof", "match", "decision", "ledgerentry", "ledgeropening", "plan", "release",
    "record", "caseclock", "stagestay", "answer",
)]  # fmt: skip


def fill(number: int, officers: list[int], proposers: list[int], version: int, dataset: int) -> None:
    """The whole house with `number` cases, indexed and analysed."""
    assert re.fullmatch(r"[0-9]+", str(number))
    with without_indexes(TABLES):
        insert("governance_record", "generate_series(1, 100000) g",
               {"id": "g", "dataset_id": str(dataset), "record_id": "'bench/' || g", "digest": "''"})  # fmt: skip
        cases(number, claimants(number), officers, proposers)
        parts()
        entries()
        clocks()
        stays_and_answers()
        plans(version, dataset)
    run("VACUUM ANALYZE")
