"""Every aggregate of the house, one file each."""

from governance.models.abuse import AbuseFinding
from governance.models.agent import Agent, AgentCase, ApiKey, Batch, BatchItem, BatchPart, Mandate, StoredAnswer
from governance.models.answer import Answer
from governance.models.attestation import AttestationSet
from governance.models.case import (
    Capacity,
    Case,
    CaseLink,
    Channel,
    Claimant,
    ClaimedItem,
    Disposition,
    Kind,
    Proof,
    Relation,
    Status,
)
from governance.models.catalogue import (
    AiModel,
    Dataset,
    Deployment,
    Disposal,
    Medium,
    ModelVersion,
    PlaceState,
    Recipient,
    Record,
)
from governance.models.challenge import Challenge, IdentityDoubt
from governance.models.clock import CaseClock, ClockAlarm, ClockExtension, ClockPause
from governance.models.decision import Decision, Match, Release
from governance.models.desk import Hold, Interest, Note, SavedFilter
from governance.models.downstream import PatchAcknowledgement, PatchSubscriber
from governance.models.draft import Draft, DraftWork
from governance.models.duties import FilterList, Patch, Quarantine, WorkFingerprint
from governance.models.erasure import Erasure
from governance.models.evidence import AuditorBundle, EarlierReport, Letter, Paper, Report, Seal, SigningKey
from governance.models.feed import CalendarFeed
from governance.models.feed_page import Feed, FeedChange, FeedPage
from governance.models.job import Forecast, Job, JobPoint, Plan, Verification, Worker
from governance.models.ledger import (
    LedgerCheckpoint,
    LedgerCosignature,
    LedgerEntry,
    LedgerOpening,
    LedgerTile,
    LedgerWitness,
)
from governance.models.link import LinkAsked
from governance.models.message import Attempt, LetterDraft, LetterReview, Message, Subscription
from governance.models.order import VersionOrder
from governance.models.organisation import HouseProfile
from governance.models.policy import VerificationPolicy
from governance.models.publication import PatchPublication, PatchWithdrawal
from governance.models.recheck import Recheck
from governance.models.recipient import RecipientNotice
from governance.models.reservation import ReservationCheck, ReservedAddress
from governance.models.sample import AuditSample
from governance.models.sharing import FeedConsent, SharedPrint
from governance.models.stay import StageStay
from governance.models.tally import CaseFact, StatementMail, Tally, TallyState, TallyTouch
from governance.models.unclaimed import Unclaimed
from governance.models.upload import Upload
from governance.models.user import Role, RoleGrant, User
from governance.models.vault import SubjectKey
from governance.models.works_return import WorksReturn

__all__ = [
    "Medium",
    "Feed",
    "FeedChange",
    "FeedConsent",
    "FeedPage",
    "SharedPrint",
    "Answer",
    "PatchAcknowledgement",
    "PatchPublication",
    "PatchSubscriber",
    "PatchWithdrawal",
    "AttestationSet",
    "Challenge",
    "IdentityDoubt",
    "CaseFact",
    "StatementMail",
    "Tally",
    "TallyState",
    "TallyTouch",
    "AuditSample",
    "AuditorBundle",
    "AbuseFinding",
    "Agent",
    "AgentCase",
    "ApiKey",
    "Batch",
    "BatchItem",
    "BatchPart",
    "Mandate",
    "StoredAnswer",
    "AiModel",
    "Attempt",
    "CalendarFeed",
    "Capacity",
    "Case",
    "CaseClock",
    "CaseLink",
    "Channel",
    "Claimant",
    "ClaimedItem",
    "ClockAlarm",
    "ClockExtension",
    "ClockPause",
    "Dataset",
    "Decision",
    "Deployment",
    "Disposal",
    "Disposition",
    "Draft",
    "DraftWork",
    "Erasure",
    "FilterList",
    "Forecast",
    "Hold",
    "HouseProfile",
    "Interest",
    "Job",
    "JobPoint",
    "Kind",
    "LedgerCheckpoint",
    "LedgerCosignature",
    "LedgerEntry",
    "LedgerOpening",
    "LedgerTile",
    "LedgerWitness",
    "Letter",
    "LetterDraft",
    "LetterReview",
    "LinkAsked",
    "Match",
    "Message",
    "ModelVersion",
    "Note",
    "Patch",
    "PlaceState",
    "Plan",
    "Proof",
    "Quarantine",
    "Recheck",
    "Recipient",
    "RecipientNotice",
    "Record",
    "Relation",
    "Release",
    "Paper",
    "Report",
    "EarlierReport",
    "Seal",
    "SigningKey",
    "ReservationCheck",
    "ReservedAddress",
    "Role",
    "RoleGrant",
    "SavedFilter",
    "StageStay",
    "Status",
    "SubjectKey",
    "Subscription",
    "Unclaimed",
    "Upload",
    "User",
    "Verification",
    "VerificationPolicy",
    "VersionOrder",
    "WorkFingerprint",
    "WorksReturn",
    "Worker",
]
