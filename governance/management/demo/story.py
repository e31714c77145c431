"""One case from the web form to the signed report. Each step is chosen by where the case stands, so that an
interrupted demonstration goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from governance import dispatch
from governance.evidence.wording import finding_sentence
from governance.management.demo import waiting
from governance.management.demo.claimant import ClaimantBrowser
from governance.management.demo.console import DemoError, Stages
from governance.management.demo.people import actor
from governance.models import Case, Decision, Deployment, Job, Release, Role, Status
from governance.services import decision, jobs, planning, proof, recipients, release, review

PROOF_NOTE = (
    "Demonstration: the artist's site is an .example domain that nobody can register, so the nonce at "
    "/.well-known/ could not be fetched. Recorded by hand in its place."
)


@dataclass
class Story:
    """The case, the console, and the claimant's browser."""

    case: Case
    stages: Stages
    browser: ClaimantBrowser
    base_url: str

    def run(self) -> Case:
        """Work the case to its end."""
        steps: dict[Status, Callable[[], None]] = {
            Status.RECEIVED: self.confirm_email,
            Status.PROOF: self.record_proof,
            Status.REVIEW: self.admit,
            Status.MATCHING: self.wait_for_matching,
            Status.DECISION: self.decide,
            Status.PLANNING: self.plan,
            Status.UNLEARNING: self.unlearn,
            Status.VERIFICATION: self.verify,
            Status.RELEASE: self.release,
            Status.REPORTING: self.report,
            Status.NOTIFICATION: self.notify,
        }
        for job in self.case.jobs.filter(state=Job.State.FAILED):
            # What stopped an earlier run has been mended, or it stops this one with the same sentence.
            jobs.job_retry(job=job, actor=actor(Role.ENGINEER))
        while self.case.status != Status.CLOSED:
            status = Status(self.case.status)
            if status not in steps:
                raise DemoError(f"Case {self.case.number} waits at {status.label}; a person must go on from there.")
            steps[status]()
            self.case.refresh_from_db()
        return self.case

    @property
    def page(self) -> str:
        """The staff's page of the case."""
        return f"{self.base_url}/cases/{self.case.public_id}/"

    def confirm_email(self) -> None:
        """The artist follows the link in the e-mail."""
        with self.stages.stage("The artist confirms the e-mail address", self.browser.status_url):
            self.browser.confirm_email()

    def record_proof(self) -> None:
        """An officer records the proof of the domain."""
        with self.stages.stage("Legal records the proof of ownership (level P3)", self.page):
            legal = actor(Role.LEGAL)
            if not self.case.proofs.filter(level=3).exists():
                proof.proof_record(case=self.case, level=3, note=PROOF_NOTE, actor=legal)
            proof.proof_accept(case=self.case, actor=legal)

    def admit(self) -> None:
        """Legal finds the request admissible."""
        with self.stages.stage("Legal reviews: admissible", self.page):
            review.case_admit(case=self.case, actor=actor(Role.LEGAL))

    def wait_for_matching(self) -> None:
        """The engine looks for the works."""
        with self.stages.stage("The works are looked for in the training data", self.page) as tick:
            waiting.for_case(self.case, tick)

    def decide(self) -> None:
        """Legal proposes for every hit, a second person approves."""
        with self.stages.stage("Two people decide what is erased", self.page) as tick:
            matches = list(self.case.matches.all())
            erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="Company policy on opt-outs")
            decision.decision_propose(case=self.case, proposals={m.pk: erase for m in matches}, actor=actor(Role.LEGAL))
            tick(0.5, f"{len(matches)} records proposed")
            decision.decision_approve(case=self.case, actor=actor(Role.APPROVER), shown=decision.mark(self.case))
        self.stages.say(f"      {len(matches)} records are to be erased")

    def plan(self) -> None:
        """The ladder's next plan is proposed by the machine and confirmed by the engineer."""
        with self.stages.stage("The next plan is proposed and confirmed", self.page) as tick:
            if not waiting.for_plan(self.case, tick):
                return
            plan = planning.plan_choose(case=self.case, actor=actor(Role.ENGINEER))
            plan = planning.plan_confirm(case=self.case, actor=actor(Role.APPROVER), shown=planning.mark(plan))
        method = dispatch.METHODS[plan.method]
        self.stages.say(
            f"      plan {plan.attempt}: {method.title} ({method.guarantee.value}); thresholds are in the ledger"
        )

    def unlearn(self) -> None:
        """The engine unlearns."""
        with self.stages.stage("Unlearning on the engine", f"{self.base_url}/jobs/") as tick:
            waiting.for_case(self.case, tick)

    def verify(self) -> None:
        """The engine probes the candidate."""
        with self.stages.stage("Verification by probes and an attack", f"{self.page}verification/") as tick:
            waiting.for_case(self.case, tick)
        tried = [p for p in self.case.plans.order_by("attempt") if hasattr(p, "verification")]
        found = tried[-1].verification
        self.stages.say(f"      plan {tried[-1].attempt}: {found.verdict.replace('_', ' ')}")
        for finding in found.document["findings"]:
            self.stages.say(f"        - {finding_sentence(finding)}")

    def release(self) -> None:
        """Two signatures; the old version's places are followed up."""
        with self.stages.stage("Two people release the new version", f"{self.base_url}/models/") as tick:
            for role, side in ((Role.RELEASE, "released_by"), (Role.LEGAL, "legal_by")):
                if getattr(Release.objects.filter(case=self.case).first(), side, None) is None:
                    release.release_sign(case=self.case, actor=actor(role))
            tick(0.5, "places of the old version")
            manager = actor(Role.RELEASE)
            for place in Deployment.objects.filter(version=self.case.release.version.parent, state="pending"):
                release.deployment_record(
                    deployment=place, state=Deployment.State.REPLACED, case=self.case, actor=manager
                )
            recipients.recipients_tell(case=self.case, actor=manager)
            release.release_finish(case=self.case, actor=manager)

    def report(self) -> None:
        """The signing worker writes and seals the report."""
        with self.stages.stage("The report is written and sealed", f"{self.base_url}/reports/") as tick:
            waiting.for_case(self.case, tick)

    def notify(self) -> None:
        """The artist is told; the case closes."""
        with self.stages.stage("The artist is told and the case closes", self.browser.status_url) as tick:
            waiting.for_case(self.case, tick)
