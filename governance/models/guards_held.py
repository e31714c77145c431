"""What the database refuses of records that a case holds out of training: nobody alone ends it, nor does no name."""

from __future__ import annotations

from governance.models.guarding import Guard, changed, moved, set_now, set_out, signed

_HELD = "governance_quarantine"

#: Decisions of two people about the very record that a case holds; more conditions on `d` may follow.
_DECIDED = (
    "SELECT 1 FROM governance_decision d JOIN governance_match m ON m.id = d.match_id WHERE m.case_id = NEW.case_id "
    "AND m.record_id = NEW.record_id AND d.approved_by_id IS NOT NULL"
)
#: Two people decided that the record goes or is left out.
_KEPT = f"EXISTS ({_DECIDED} AND d.choice <> 'refuse')"


def _let_back() -> str:
    """What is held ends by name: two people gave the works back, or took what a search found for something else."""
    return (
        "(EXISTS (SELECT 1 FROM governance_worksreturn r JOIN governance_case c ON c.id = r.case_id "  # noqa: S608
        "WHERE c.parent_id = NEW.case_id AND c.relation = 'return' AND r.approved_by_id = NEW.ended_by_id) OR "
        "(OLD.cause = 'returned' AND OLD.lift_asked_by_id IS NOT NULL "
        f"AND NOT {moved('lift_asked_by_id')} AND NEW.lift_why = OLD.lift_why "
        "AND NEW.ended_by_id <> OLD.lift_asked_by_id "
        f"AND {signed('NEW.ended_by_id', 'lift_approval')}))"
    )


def _let_go() -> str:
    """What is held ends by nobody's name: the claim failed, two people refused, or no proof allows it before that."""
    return (
        "(EXISTS (SELECT 1 FROM governance_case c WHERE c.id = NEW.case_id "  # noqa: S608
        "AND c.status IN ('reporting', 'notification', 'closed') AND c.disposition IN ('withdrawn', 'refused')) OR "
        f"(EXISTS ({_DECIDED}) AND NOT {_KEPT}) OR (OLD.cause = 'matched' AND NOT {_KEPT} AND NOT EXISTS (SELECT 1 "
        "FROM governance_proof p WHERE p.case_id = NEW.case_id AND p.level >= 2 AND p.refused_at IS NULL)))"
    )


HELD_GUARDS: tuple[Guard, ...] = (
    Guard(
        "held_insert", _HELD, "INSERT",
        "NEW.ended_at IS NOT NULL OR NEW.ended_by_id IS NOT NULL OR NEW.lift_asked_by_id IS NOT NULL",
        "a second signature is a step of its own",
    ),
    Guard(
        "held_asker", _HELD, "UPDATE",
        f"NEW.lift_asked_by_id IS NOT NULL AND {moved('lift_asked_by_id')} "
        f"AND (OLD.cause <> 'returned' OR NOT {signed('NEW.lift_asked_by_id', 'lift')})",
        "the role of this person does not sign here",
    ),
    Guard(
        "held_returned", _HELD, "UPDATE",
        f"{set_now('ended_at')} AND NEW.ended_by_id IS NOT NULL AND NOT {_let_back()}",
        "what is held is given back when two people signed it",
    ),
    Guard(
        "held_ended", _HELD, "UPDATE", f"{set_now('ended_at')} AND NEW.ended_by_id IS NULL AND NOT {_let_go()}",
        "what is held ends when the claim failed or two people signed it",
    ),
    Guard(
        "held_final", _HELD, "UPDATE",
        f"OLD.ended_at IS NOT NULL AND ({moved('ended_by_id')} OR {moved('lift_asked_by_id')} "
        f"OR {changed('cause', 'since', 'lift_why', 'ended_why')} OR NEW.ended_at IS DISTINCT FROM OLD.ended_at "
        "OR NEW.lift_asked_at IS DISTINCT FROM OLD.lift_asked_at) "
        f"OR (NEW.ended_at IS NULL AND {moved('ended_by_id')})",
        "what was signed is never changed",
    ),
    Guard(
        "held_cause", _HELD, "UPDATE",
        f"{changed('case_id', 'record_id')} OR ({changed('cause')} "
        f"AND NOT (NEW.cause = 'decided' AND (OLD.cause = 'matched' OR {_KEPT})))",
        "what a case holds becomes neither what a search found, nor undecided, nor held by another case",
    ),
    Guard("held_delete", _HELD, "DELETE", "", "what is held is ended, never deleted"),
    Guard(
        "match_decided", "governance_match", "UPDATE",
        f"{changed('case_id', 'record_id')} AND EXISTS (SELECT 1 FROM governance_decision d "  # noqa: S608
        "WHERE d.match_id = OLD.id AND d.approved_by_id IS NOT NULL)",
        "what two people decided is about the record that they saw",
    ),
    # The lists of what may be trained on are made from the record's own row.
    Guard(
        "record_held", "governance_record", "UPDATE",
        f"(({set_out('quarantined_at')}) OR {changed('dataset_id', 'record_id')}) AND EXISTS (SELECT 1 "  # noqa: S608
        "FROM governance_quarantine q WHERE q.record_id = OLD.id AND q.ended_at IS NULL)",
        "a record stays out of training while a case holds it",
    ),
)  # fmt: skip
