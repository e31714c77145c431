"""The list of what the database refuses; `triggers` puts it in place."""

from __future__ import annotations

from governance.models.contest import contested
from governance.models.guarding import PREFIX, SIGNERS, Guard, changed, filer, moved, set_now, signed
from governance.models.guards_held import HELD_GUARDS

__all__ = ["EMPTIED", "GUARDS", "PREFIX", "SIGNERS", "Guard"]

_CASE_OF_MATCH = "(SELECT m.case_id FROM governance_match m WHERE m.id = NEW.match_id)"
_DECISION, _RELEASE, _PLAN = "governance_decision", "governance_release", "governance_plan"
_POLICY, _GRANT, _USER = "governance_verificationpolicy", "governance_rolegrant", "governance_user"
_CONTESTED = "whoever took part in the decision that is contested does not decide again"
_ENTRY, _OPENING, _CASE = "governance_ledgerentry", "governance_ledgeropening", "governance_case"
_ITEM = "governance_claimeditem"
_TILE, _HEAD, _COSIGNED = "governance_ledgertile", "governance_ledgercheckpoint", "governance_ledgercosignature"
_ORDER, _PLACES = "governance_versionorder", "governance_placestate"
_ERASURE, _ABUSE = "governance_erasure", "governance_abusefinding"
_SAMPLE, _KEY = "governance_auditsample", "governance_signingkey"
_RETURN = "governance_worksreturn"
_HOUSE, _PUBLICATION = "governance_houseprofile", "governance_patchpublication"
_WITHDRAWAL, _SUBSCRIBER = "governance_patchwithdrawal", "governance_patchsubscriber"
_ACKNOWLEDGED = "governance_patchacknowledgement"
_STEP = "a second signature is a step of its own"
_FINAL = "what was signed is never changed"
_ROLE = "the role of this person does not sign here"
_SAME = "what is signed second is what was signed first"
_FILED = "whoever entered the request or works of it does not sign second"
_ENTERED = "whoever entered the request or works of it signs no release"
_UNSIGNED = "a plan runs when two people signed it"
_PROPOSED = ("proposed_by_id", "proposed_at", "choice", "ground", "exception", "reason", "match_id")
_PLAN_CONTENT = ("method", "config", "seed", "forget_ids", "policy_digest", "policy")

GUARDS: tuple[Guard, ...] = (
    Guard("entry_update", _ENTRY, "UPDATE", "", "the ledger is append-only"),
    Guard("entry_delete", _ENTRY, "DELETE", "", "the ledger is append-only"),
    Guard("opening_update", _OPENING, "UPDATE", "", "an opening is never changed"),
    Guard("tile_update", _TILE, "UPDATE", "", "the ledger is append-only"),
    Guard("tile_delete", _TILE, "DELETE", "", "the ledger is append-only"),
    Guard(
        "checkpoint_update", _HEAD, "UPDATE",
        f"{changed('size', 'root', 'made_at')} OR (OLD.note <> '' AND {changed('note')}) "
        f"OR (LENGTH(OLD.time) > 0 AND {changed('time')})",
        "a checkpoint is signed once and never changed",
    ),
    Guard("checkpoint_delete", _HEAD, "DELETE", "", "a checkpoint stays"),
    Guard("cosignature_update", _COSIGNED, "UPDATE", "", "a cosignature is never changed"),
    Guard("cosignature_delete", _COSIGNED, "DELETE", "", "a cosignature stays"),
    Guard(
        "key_insert", _KEY, "INSERT", "NEW.ended_at IS NOT NULL OR NEW.successor <> '' OR NEW.handover <> ''",
        "a key ends when another one takes its place",
    ),
    Guard(
        "key_update", _KEY, "UPDATE",
        f"{changed('purpose', 'public')} OR NEW.began_at IS DISTINCT FROM OLD.began_at OR (OLD.successor <> '' AND "
        f"({changed('successor', 'handover')} OR NEW.ended_at IS DISTINCT FROM OLD.ended_at))",
        "a key ends once and is never changed",
    ),
    Guard(
        "key_found", _KEY, "UPDATE", "OLD.lost_at IS NOT NULL AND (NEW.lost_at IS NULL OR NEW.lost_at > OLD.lost_at)",
        "a key that was in other hands stays so",
    ),
    Guard("key_delete", _KEY, "DELETE", "", "a key that was in use stays"),
    Guard(
        "case_reopen", _CASE, "UPDATE",
        "OLD.status = 'closed' AND NEW.status <> 'closed'", "a closed case stays closed",
    ),
    Guard("case_filer", _CASE, "UPDATE", moved("entered_by_id"), "who entered a request is never changed"),
    Guard(
        "item_filer", _ITEM, "UPDATE",
        f"{moved('entered_by_id')} OR (OLD.entered_by_id IS NOT NULL AND {changed('case_id')})",
        "who entered a work is never changed",
    ),
    Guard("item_delete", _ITEM, "DELETE", "OLD.entered_by_id IS NOT NULL", "a work that staff entered stays"),
    Guard("sample_delete", _SAMPLE, "DELETE", "", "a stated sample stays"),
    Guard(
        "sample_update", _SAMPLE, "UPDATE",
        "OLD.drawn_at IS NOT NULL OR (OLD.text <> '' AND " + changed("text") + ") OR "
        + changed("public_id", "number", "by_id", "n", "narrowed", "strata", "population", "size")
        + " OR " + changed("commitment", "entry", "stated_at"),
        "a sample is stated once and drawn once",
    ),
    # What was written about a case stays
    Guard("note_delete", "governance_note", "DELETE", "", "a note is never deleted"),
    Guard(
        "note_update", "governance_note", "UPDATE",
        "OLD.struck_at IS NOT NULL OR " + changed("text", "author_id", "case_id", "written_at"),
        "a note is struck, never changed",
    ),
    Guard("interest_delete", "governance_interest", "DELETE", "", "a declared interest stays"),
    Guard("interest_update", "governance_interest", "UPDATE", "", "a declared interest stays"),
    Guard("hold_delete", "governance_hold", "DELETE", "", "a hold is lifted, never deleted"),
    Guard("hold_update", "governance_hold", "UPDATE", "OLD.lifted_at IS NOT NULL", "a lifted hold is closed"),
    Guard("clock_delete", "governance_caseclock", "DELETE", "", "a clock is ended, never deleted"),
    Guard("pause_delete", "governance_clockpause", "DELETE", "", "a pause stays"),
    Guard(
        "pause_update", "governance_clockpause", "UPDATE",
        "OLD.last_at IS NOT NULL", "a pause that has ended is closed",
    ),
    Guard("extension_delete", "governance_clockextension", "DELETE", "", "an extension stays"),
    Guard("extension_update", "governance_clockextension", "UPDATE", "", "an extension stays as it was told"),
    Guard("alarm_delete", "governance_clockalarm", "DELETE", "", "an alarm stays"),
    # Decisions
    Guard("decision_insert", _DECISION, "INSERT", "NEW.approved_by_id IS NOT NULL", _STEP),
    Guard("decision_proposer", _DECISION, "INSERT", f"NOT {signed('NEW.proposed_by_id', 'proposal')}", _ROLE),
    Guard(
        "decision_proposer_again", _DECISION, "UPDATE",
        f"NEW.proposed_by_id <> OLD.proposed_by_id AND NOT {signed('NEW.proposed_by_id', 'proposal')}", _ROLE,
    ),
    Guard("decision_final", _DECISION, "UPDATE", "OLD.approved_by_id IS NOT NULL", _FINAL),
    Guard("decision_delete", _DECISION, "DELETE", "OLD.approved_by_id IS NOT NULL", _FINAL),
    Guard(
        "decision_same", _DECISION, "UPDATE",
        f"{set_now('approved_by_id')} AND {changed(*_PROPOSED)}", _SAME,
    ),
    Guard(
        "decision_filer", _DECISION, "UPDATE",
        f"{set_now('approved_by_id')} AND {filer('NEW.approved_by_id', _CASE_OF_MATCH)}", _FILED,
    ),
    Guard(
        "decision_approver", _DECISION, "UPDATE",
        f"{set_now('approved_by_id')} AND NOT {signed('NEW.approved_by_id', 'approval')}", _ROLE,
    ),
    Guard("decision_contested", _DECISION, "INSERT", contested("NEW.proposed_by_id", _CASE_OF_MATCH), _CONTESTED),
    Guard(
        "decision_contested_approval", _DECISION, "UPDATE",
        f"{set_now('approved_by_id')} AND {contested('NEW.approved_by_id', _CASE_OF_MATCH)}", _CONTESTED,
    ),
    # Plans
    Guard("plan_insert", _PLAN, "INSERT", "NEW.chosen_by_id IS NOT NULL OR NEW.confirmed_by_id IS NOT NULL", _STEP),
    Guard(
        "plan_chooser", _PLAN, "UPDATE",
        f"NEW.chosen_by_id IS NOT NULL AND {moved('chosen_by_id')} AND NOT {signed('NEW.chosen_by_id', 'plan')}",
        _ROLE,
    ),
    Guard(
        "plan_approver", _PLAN, "UPDATE",
        f"{set_now('confirmed_by_id')} AND NOT {signed('NEW.confirmed_by_id', 'plan_approval')}", _ROLE,
    ),
    Guard(
        "plan_order", _PLAN, "UPDATE",
        f"{set_now('confirmed_by_id')} AND (OLD.chosen_by_id IS NULL OR {moved('chosen_by_id')})", _STEP,
    ),
    Guard(
        "plan_same", _PLAN, "UPDATE",
        f"{set_now('confirmed_by_id')} AND NEW.leader_id IS NULL "
        f"AND ({moved('controls_id')} OR {changed(*_PLAN_CONTENT)})", _SAME,
    ),
    Guard(
        "plan_filer", _PLAN, "UPDATE",
        f"{set_now('confirmed_by_id')} AND {filer('NEW.confirmed_by_id', 'NEW.case_id')}", _FILED,
    ),
    Guard(
        "plan_final", _PLAN, "UPDATE",
        f"OLD.confirmed_by_id IS NOT NULL AND ({moved('confirmed_by_id')} OR {moved('chosen_by_id')} "
        f"OR {moved('controls_id')} OR {changed(*_PLAN_CONTENT)})", _FINAL,
    ),
    Guard("plan_running", _PLAN, "UPDATE", "NEW.state <> 'proposed' AND NEW.confirmed_by_id IS NULL", _UNSIGNED),
    Guard("plan_delete", _PLAN, "DELETE", "OLD.confirmed_by_id IS NOT NULL", _FINAL),
    # Releases
    Guard("release_insert", _RELEASE, "INSERT", "NEW.released_by_id IS NOT NULL OR NEW.legal_by_id IS NOT NULL", _STEP),
    Guard(
        "release_one_by_one", _RELEASE, "UPDATE", f"{set_now('released_by_id')} AND {set_now('legal_by_id')}", _STEP,
    ),
    Guard(
        "release_manager", _RELEASE, "UPDATE",
        f"{set_now('released_by_id')} AND NOT {signed('NEW.released_by_id', 'release')}", _ROLE,
    ),
    Guard(
        "release_legal", _RELEASE, "UPDATE",
        f"{set_now('legal_by_id')} AND NOT {signed('NEW.legal_by_id', 'release_legal')}", _ROLE,
    ),
    Guard(
        "release_filer", _RELEASE, "UPDATE",
        f"({set_now('released_by_id')} AND {filer('NEW.released_by_id', 'NEW.case_id')}) OR "
        f"({set_now('legal_by_id')} AND {filer('NEW.legal_by_id', 'NEW.case_id')})", _ENTERED,
    ),
    Guard(
        # The first signature may be voided while it stands alone; nobody else's takes its place in the same step.
        "release_final", _RELEASE, "UPDATE",
        f"(OLD.released_by_id IS NOT NULL AND {moved('released_by_id')} AND (NEW.released_by_id IS NOT NULL OR "
        f"OLD.legal_by_id IS NOT NULL OR NEW.legal_by_id IS NOT NULL)) OR (OLD.legal_by_id IS NOT NULL AND "
        f"{moved('legal_by_id')} AND (NEW.legal_by_id IS NOT NULL OR OLD.released_by_id IS NOT NULL OR "
        "NEW.released_by_id IS NOT NULL)) OR ((OLD.released_by_id IS NOT NULL OR OLD.legal_by_id IS NOT NULL) AND "
        f"{changed('version_id', 'case_id')})", _FINAL,
    ),
    Guard(
        "release_delete", _RELEASE, "DELETE", "OLD.released_by_id IS NOT NULL OR OLD.legal_by_id IS NOT NULL", _FINAL,
    ),
    # Orders to withdraw a version or to put an older one back
    Guard(
        "order_insert", _ORDER, "INSERT",
        "NEW.legal_by_id IS NOT NULL OR NEW.release_by_id IS NOT NULL OR NEW.done_at IS NOT NULL", _STEP,
    ),
    Guard(
        "order_update", _ORDER, "UPDATE",
        "OLD.done_at IS NOT NULL OR OLD.refused_at IS NOT NULL OR "
        + " OR ".join(
            [
                changed("kind", "version_id", "reason", "proposed_at"),
                *(moved(column) for column in ("target_id", "case_id", "proposed_by_id")),
                *(f"(OLD.{c} IS NOT NULL AND {moved(c)})" for c in ("legal_by_id", "release_by_id")),
            ]
        ),
        "what was proposed, signed or answered is never changed",
    ),
    # The end of a person's own data
    Guard(
        "erasure_insert", _ERASURE, "INSERT",
        "NEW.done_at IS NOT NULL OR NEW.approved_by_id IS NOT NULL OR NEW.returned_at IS NOT NULL", _STEP,
    ),
    Guard(
        "erasure_update", _ERASURE, "UPDATE",
        f"OLD.done_at IS NOT NULL OR OLD.returned_at IS NOT NULL OR {moved('asked_by_id')} OR "
        + changed("claimant_id", "mode", "due_on", "rule"),
        "what was asked for, answered or done is never changed",
    ),
    Guard("erasure_delete", _ERASURE, "DELETE", "", "erasures are append-only"),
    Guard(
        "erasure_asker", _ERASURE, "INSERT",
        f"NEW.asked_by_id IS NOT NULL AND NOT {signed('NEW.asked_by_id', 'erasure')}", _ROLE,
    ),
    Guard(
        "erasure_approver", _ERASURE, "UPDATE",
        f"{set_now('approved_by_id')} AND NOT {signed('NEW.approved_by_id', 'erasure_approval')}", _ROLE,
    ),
    # Findings of abuse
    Guard("abuse_insert", _ABUSE, "INSERT", "NEW.approved_by_id IS NOT NULL OR NEW.returned_by_id IS NOT NULL", _STEP),
    Guard("abuse_proposer", _ABUSE, "INSERT", f"NOT {signed('NEW.proposed_by_id', 'abuse')}", _ROLE),
    Guard(
        "abuse_update", _ABUSE, "UPDATE",
        "OLD.approved_at IS NOT NULL OR OLD.returned_at IS NOT NULL OR "
        + changed("case_id", "ground", "reasons", "proposed_by_id", "proposed_at"), _FINAL,
    ),
    Guard(
        "abuse_approver", _ABUSE, "UPDATE",
        f"{set_now('approved_by_id')} AND (NOT {signed('NEW.approved_by_id', 'abuse_approval')} OR "
        f"{filer('NEW.approved_by_id', 'NEW.case_id')})", _ROLE,
    ),
    Guard("abuse_contested", _ABUSE, "INSERT", contested("NEW.proposed_by_id", "NEW.case_id"), _CONTESTED),
    Guard(
        "abuse_contested_approval", _ABUSE, "UPDATE",
        f"{set_now('approved_by_id')} AND {contested('NEW.approved_by_id', 'NEW.case_id')}", _CONTESTED,
    ),
    Guard("abuse_delete", _ABUSE, "DELETE", "", "a finding stays"),
    # Works that are given back
    Guard(
        "return_insert", _RETURN, "INSERT", "NEW.approved_by_id IS NOT NULL OR NEW.returned_by_id IS NOT NULL", _STEP
    ),
    Guard("return_proposer", _RETURN, "INSERT", f"NOT {signed('NEW.proposed_by_id', 'proposal')}", _ROLE),
    Guard(
        "return_update", _RETURN, "UPDATE",
        "OLD.approved_at IS NOT NULL OR OLD.returned_at IS NOT NULL OR "
        + changed("case_id", "proposed_by_id", "proposed_at"), _FINAL,
    ),
    Guard(
        "return_approver", _RETURN, "UPDATE",
        f"{set_now('approved_by_id')} AND NOT {signed('NEW.approved_by_id', 'approval')}", _ROLE,
    ),
    Guard(
        "return_filer", _RETURN, "UPDATE",
        f"{set_now('approved_by_id')} AND {filer('NEW.approved_by_id', 'NEW.case_id')}", _FILED,
    ),
    Guard("return_delete", _RETURN, "DELETE", "", "what was proposed to be given back stays"),
    *HELD_GUARDS,
    Guard("order_delete", _ORDER, "DELETE", "", "orders are append-only"),
    Guard(
        "order_legal", _ORDER, "UPDATE",
        f"{set_now('legal_by_id')} AND NOT {signed('NEW.legal_by_id', 'release_legal')}", _ROLE,
    ),
    Guard(
        "order_release", _ORDER, "UPDATE",
        f"{set_now('release_by_id')} AND NOT {signed('NEW.release_by_id', 'release')}", _ROLE,
    ),
    Guard("place_update", _PLACES, "UPDATE", "", "the history of a place is append-only"),
    Guard("place_delete", _PLACES, "DELETE", "", "the history of a place is append-only"),
    # Policies of the verdict
    Guard("policy_insert", _POLICY, "INSERT", "NEW.approved_at IS NOT NULL", _STEP),
    Guard(
        "policy_fixed", _POLICY, "UPDATE",
        "OLD.approved_at IS NOT NULL OR OLD.returned_at IS NOT NULL OR "
        + changed("version", "name", "policy", "before", "digest", "reason", "proposed_by_id", "proposed_at"),
        "what was proposed or answered is never changed",
    ),
    Guard(
        "policy_approver", _POLICY, "UPDATE",
        f"{set_now('approved_by_id')} AND NOT {signed('NEW.approved_by_id', 'policy')}", _ROLE,
    ),
    Guard("policy_delete", _POLICY, "DELETE", "", "policies are append-only"),
    # Patches that everybody may have
    Guard(
        "publication_insert", _PUBLICATION, "INSERT",
        "NEW.approved_by_id IS NOT NULL OR NEW.returned_at IS NOT NULL", _STEP,
    ),
    Guard("publication_proposer", _PUBLICATION, "INSERT", f"NOT {signed('NEW.proposed_by_id', 'publication')}", _ROLE),
    Guard(
        "publication_fixed", _PUBLICATION, "UPDATE",
        "OLD.approved_by_id IS NOT NULL OR OLD.returned_at IS NOT NULL OR "
        + changed("patch_id", "base", "result", "proposed_by_id", "proposed_at"), _FINAL,
    ),
    Guard(
        "publication_approver", _PUBLICATION, "UPDATE",
        f"{set_now('approved_by_id')} AND NOT {signed('NEW.approved_by_id', 'release_legal')}", _ROLE,
    ),
    Guard(
        "publication_delete", _PUBLICATION, "DELETE",
        "OLD.approved_by_id IS NOT NULL OR OLD.returned_at IS NOT NULL", _FINAL,
    ),
    Guard("withdrawal_insert", _WITHDRAWAL, "INSERT", "NEW.approved_by_id IS NOT NULL", _STEP),
    Guard("withdrawal_proposer", _WITHDRAWAL, "INSERT", f"NOT {signed('NEW.proposed_by_id', 'publication')}", _ROLE),
    Guard(
        "withdrawal_fixed", _WITHDRAWAL, "UPDATE",
        "OLD.approved_at IS NOT NULL OR OLD.returned_at IS NOT NULL OR "
        + changed("publication_id", "reason", "proposed_by_id", "proposed_at"), _FINAL,
    ),
    Guard(
        "withdrawal_approver", _WITHDRAWAL, "UPDATE",
        f"{set_now('approved_by_id')} AND NOT {signed('NEW.approved_by_id', 'release_legal')}", _ROLE,
    ),
    Guard("withdrawal_delete", _WITHDRAWAL, "DELETE", "", "withdrawals are append-only"),
    Guard(
        "subscriber_update", _SUBSCRIBER, "UPDATE",
        "OLD.removed_at IS NOT NULL OR "
        + changed("public_id", "model_id", "name", "public_key", "registered_at"),
        "a subscriber is removed and registered anew, never changed",
    ),
    Guard("subscriber_delete", _SUBSCRIBER, "DELETE", "", "a subscriber is removed, never deleted"),
    Guard("acknowledgement_update", _ACKNOWLEDGED, "UPDATE", "", "an acknowledgement stays as it was signed"),
    Guard("acknowledgement_delete", _ACKNOWLEDGED, "DELETE", "", "an acknowledgement stays as it was signed"),
    # What the house says of itself
    Guard("house_insert", _HOUSE, "INSERT", "NEW.approved_at IS NOT NULL", _STEP),
    Guard("house_proposer", _HOUSE, "INSERT", f"NOT {signed('NEW.proposed_by_id', 'grant')}", _ROLE),
    Guard(
        "house_fixed", _HOUSE, "UPDATE",
        "OLD.approved_at IS NOT NULL OR OLD.returned_at IS NOT NULL OR "
        + changed(
            "name", "address", "contact", "officer", "representative", "authority", "place", "logo", "languages",
            "proposed_by_id", "proposed_at",
        ), _FINAL,
    ),
    Guard(
        "house_approver", _HOUSE, "UPDATE",
        f"{set_now('approved_by_id')} AND NOT {signed('NEW.approved_by_id', 'grant')}", _ROLE,
    ),
    Guard("house_delete", _HOUSE, "DELETE", "", "versions of the organisation are append-only"),
    # Roles. The first two accounts of an installation are its administrators; every later role takes two of them.
    Guard(
        "user_insert", _USER, "INSERT",
        "NEW.role <> 'none' AND NOT (NEW.role = 'administrator' AND (SELECT COUNT(*) FROM governance_user) < 2)",
        "a role is given by a grant that two administrators sign",
    ),
    Guard(
        "user_role", _USER, "UPDATE",
        "NEW.role <> OLD.role AND NEW.role <> 'none' AND NOT EXISTS (SELECT 1 FROM governance_rolegrant g WHERE "
        "g.person_id = NEW.id AND g.role = NEW.role AND g.approved_by_id IS NOT NULL AND g.applied_at IS NULL)",
        "a role is given by a grant that two administrators sign",
    ),
    Guard(
        "user_activate", _USER, "UPDATE", "NOT OLD.is_active AND NEW.is_active AND NEW.role <> 'none'",
        "an account that is opened again has no role until it is granted",
    ),
    Guard("user_delete", _USER, "DELETE", "", "accounts are closed, never deleted"),
    Guard("grant_insert", _GRANT, "INSERT", "NEW.approved_by_id IS NOT NULL OR NEW.applied_at IS NOT NULL", _STEP),
    Guard("grant_proposer", _GRANT, "INSERT", f"NOT {signed('NEW.proposed_by_id', 'grant')}", _ROLE),
    Guard(
        "grant_same", _GRANT, "UPDATE", changed("person_id", "role", "before", "proposed_by_id", "proposed_at"), _SAME,
    ),
    Guard(
        "grant_approver", _GRANT, "UPDATE",
        f"{set_now('approved_by_id')} AND NOT {signed('NEW.approved_by_id', 'grant')}", _ROLE,
    ),
    Guard(
        "grant_final", _GRANT, "UPDATE",
        f"OLD.returned_at IS NOT NULL OR OLD.applied_at IS NOT NULL OR (OLD.approved_by_id IS NOT NULL AND "
        f"{moved('approved_by_id')})", _FINAL,
    ),
    Guard("grant_delete", _GRANT, "DELETE", "OLD.approved_by_id IS NOT NULL", _FINAL),
)  # fmt: skip
#: Emptying a whole table goes past triggers on rows; only PostgreSQL can do it. Where rows stay, the table does.
EMPTIED = tuple(dict.fromkeys(guard.table for guard in GUARDS if guard.event == "DELETE"))
