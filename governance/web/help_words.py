"""How the staff do their work, topic by topic: tasks as steps in the words of the pages, and the glossary's staff part.

A topic names the roles that it is written for and the pages from which "Help" leads to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from governance.glossary import Term
from governance.models import Role

R = Role


@dataclass(frozen=True)
class HowTo:
    """One task: what one does, step by step, and the page where it begins (a name of `governance.urls`)."""

    title: Any
    steps: tuple[Any, ...]
    begins: str = ""


@dataclass(frozen=True)
class Topic:
    """Tasks that belong together. `pages`: beginnings of the addresses' names from which "Help" leads here."""

    name: str
    title: Any
    roles: tuple[Role, ...]
    pages: tuple[str, ...]
    tasks: tuple[HowTo, ...]


CASES = (
    HowTo(_("Find what waits for you"), (
        _("Open Cases. The list at the left, “waiting for me”, holds what only your role can do next."),
        _("The clocks of a list share one calendar: the dotted line is today, the tall mark the last lawful day."),
        _("“Take the next case” opens the one whose day comes first. The field in the head finds a case by its number, "
          "a record, or an address."),
    ), "cases"),
    HowTo(_("Judge a proof"), (
        _("The panel of the case says what the claimant showed, and what each level unlocks."),
        _("Record what you saw. If you doubt it, say so in the panel: the claimant is asked, and the clock stands "
          "still only where its law allows."),
        _("Nothing that was found is told to the claimant before identity is shown."),
    )),
    HowTo(_("Decide, with two signatures"), (
        _("Read the hits beside the works. Words that differ are underlined."),
        _("Choose erase, leave out or refuse, with its ground. A single hit that is to end otherwise is chosen in "
          "its row."),
        _("Sign as first reviewer. An approver, never the same person, signs second; only then something changes."),
        _("Both signatures ask for your password and a second factor."),
    )),
    HowTo(_("When the time is too short"), (
        _("“Extend the clock” below the panel offers what this law allows, with the letter that has to go out first."),
        _("Ask the claimant a question where the law lets the clock stand still until the answer."),
        _("A day that was missed is an entry of the ledger. It is not taken away."),
    )),
)  # fmt: skip
RUNS = (
    HowTo(_("Choose a plan"), (
        _("Part “Plan” of the case lists the ways that were weighed: what each promises, costs and risks."),
        _("Keep the first or choose another with a reason. The thresholds are fixed when the second person signs, "
          "before the run."),
    ), "cases"),
    HowTo(_("Find out why a run failed"), (
        _("Open Jobs and narrow the list to failed ones; open the job."),
        _("The red notice says what stopped and what to do. “What the engine said” is the end of its log."),
        _("“Course” shows where the loss or the watch went wrong; “Its like” sets the run beside an earlier one."),
        _("Mend the cause, then “Let it run again”. The line under “By hand” repeats the job on any machine."),
    ), "jobs"),
    HowTo(_("Compare runs"), (
        _("Open a run. Under “Its like” choose “Compare”."),
        _("“Before and after” holds for each probe what the run left, what was there before, and what a model gives "
          "that never saw the records."),
        _("The settings that differ are counted under the headline. “Set another beside them” adds a third and a "
          "fourth run."),
    ), "jobs"),
    HowTo(_("See when the queue is empty"), (
        _("Jobs, part “Workers”: which machines live, what each does, and when the last waiting job would end."),
        _("The time is reckoned from earlier runs of the same kind; without such runs the page says that it cannot "
          "tell."),
    ), "jobs"),
)  # fmt: skip
MODELS = (
    HowTo(_("Register your own model in three steps"), (
        _("Models, “Register your own”. Each step prints one command for the machine where the files lie."),
        _("Put the training data, then the folder of the model. The command checks them and prints a digest."),
        _("Paste the digest into the form beside it, and name the places where the model answers."),
    ), "models"),
    HowTo(_("See where a version came from"), (
        _("Open the model. “Descent” draws which version was made from which, with the places where each answers."),
        _("The table below says the same in words, with the digest of each version's weights."),
        _("“Plans and what was found” holds what was tried for each case, its verdict and its runs."),
    ), "models"),
    HowTo(_("Take the weights"), (
        _("Open the version; “Take the weights” is for engineers and release managers."),
        _("The ZIP holds the files and what was signed about them. That you took it stands in the ledger."),
        _("What has a day of deletion is not given out: a copy would outlive it."),
    ), "models"),
)  # fmt: skip
RELEASES = (
    HowTo(_("Put a version into service"), (
        _("The case waits at “Release” once the probes passed. Read the verification, the limits too."),
        _("You sign for the release, legal or an approver signs the other side."),
        _("Then each place of the old version is recorded as replaced, or as unreachable, in part “Release”."),
        _("“Have the report written” appears when every place and every recipient is accounted for."),
    ), "cases"),
    HowTo(_("Withdraw a version, or put the one before back"), (
        _("Duties: propose it with a reason. Legal and a release manager sign; the database wants three people."),
        _("It is refused where the law or a deletion forbids it, and says which."),
    ), "duties"),
)  # fmt: skip
FIGURES = (
    HowTo(_("Read the page"), (
        _("The headline is computed from the clocks; the sentence below compares with the period before."),
        _("Each number leads to what it counts, that of the period before too, and “How it is counted” to its "
          "definition. “The whole list as CSV” takes a list along."),
        _("“How it is worked out” beside the forecast shows its weeks, its sum, and how earlier forecasts did."),
        _("“Counted until” says how fresh all of it is. “Recount now” reads every case anew and tells what differed."),
    ), "dashboard"),
    HowTo(_("Give figures to others"), (
        _("“Download figures” is a CSV; each chart has its own, and a picture."),
        _("“Have them signed”: a sealed statement, as PDF, of the days that the page shows; or of any others."),
        _("“On paper and by e-mail”: have the figures mailed to you, every week or month."),
    ), "dashboard"),
)  # fmt: skip
EVIDENCE = (
    HowTo(_("Check a report"), (
        _("Reports, then its number: PDF, evidence and bundle. “Verify a report” checks one without an account."),
        _("The bundle is checked without this house by a small program, lethe_verify."),
    ), "reports"),
    HowTo(_("Find a report or a paper"), (
        _("Reports: type the number of the case or of any sheet of it, as far as you have it; narrow by kind, outcome "
          "and days."),
        _("“Papers of the house” holds statements and registers, and has new ones sealed."),
    ), "reports"),
    HowTo(_("Check the ledger"), (
        _("Ledger: every entry with its leaf and proof. “Compare every second signature with the ledger” finds what "
          "somebody did past it."),
        _("“From entry” goes to any number; a case narrows the list to its entries. From the page of a case “Every "
          "entry of this case in the ledger” leads there."),
        _("What a replay of a case needs is made from its report: a closed file, its passphrase shown once."),
    ), "reports"),
    HowTo(_("Draw a sample that nobody chose"), (
        _("Audit, “State a new sample”: how many cases, which, and a text of your own. It cannot be changed then."),
        _("Note the root that its page shows. Within a minute a checkpoint holds the statement; then “Draw”, once."),
        _("Open the cases from the list. Whoever doubts the draw takes the file under “Draw it again” and uploads it "
          "at “Verify a report”, or runs the command beside it."),
        _("“Take an export” gives cases, decisions, entries and policies of some days, without a name."),
    ), "audit"),
)  # fmt: skip
DUTIES = (
    HowTo(_("Keep what was opted out away from training"), (
        _("Duties, “Held, by case”: records held from the proof on. A record that was held by mistake is let back by "
          "an approver."),
        _("“Filter lists” are for serving systems; each dataset's page exports what may be trained on."),
    ), "duties"),
    HowTo(_("Tell recipients"), (
        _("Whoever received a dataset or a version is told of an erasure, case by case, or excused with reasons that "
          "stand in the report."),
        _("An answer is recorded on the page of the recipients."),
    ), "recipients"),
    HowTo(_("See what became of a letter"), (
        _("Messages: each letter and event with its tries. One that came back is recorded there and sent again."),
        _("The texts are marked as read by a lawyer, digest by digest; until then each letter says that nobody did."),
    ), "outbox"),
)  # fmt: skip
SET_UP = (
    HowTo(_("Set the house up"), (
        _("Set-up lists what is there and what is missing; nothing is ticked by hand."),
        _("One administrator describes the organisation, another signs. Its name, officer and logo then stand on "
          "pages, "
          "letters and reports."),
    ), "set_up"),
    HowTo(_("Let somebody in"), (
        _("People, “Make an account”: an invitation goes out, good once and for three days."),
        _("A second administrator opens the account and chooses “Sign the role”; until then it may do nothing."),
        _("Who lost their second factor: “Remove the second factor” on the same page, after you have seen who asks."),
    ), "people"),
)  # fmt: skip
ACCOUNT = (
    HowTo(_("Sign in with a passkey"), (
        _("Your account (under your name, in the head), “Passkeys and security keys”, “Add a passkey or security "
          "key”."),
        _("Whoever decides needs one of them or an authenticator app, beside the password."),
        _("Keep the recovery codes on paper: each is good once."),
    ), "own_account"),
    HowTo(_("Sessions and cookies"), (
        _("“Your sessions” names every place where you are signed in, and ends all the others. A session ends after "
          "eight hours."),
        _("Two cookies are set: “sessionid”, who is signed in, and “csrftoken”, which keeps forms from being sent by "
          "other sites. None follows you elsewhere, and nothing is loaded from another site."),
        _("Theme and single keys are kept by your browser on this device alone."),
    ), "own_account"),
)  # fmt: skip

TOPICS = (
    Topic("cases", _("Working a case"), (R.LEGAL, R.APPROVER),
          ("case", "cases", "filter", "desk", "today", "calendar", "workload", "verification", "policies",
           "policy"), CASES),
    Topic("runs", _("Plans and runs"), (R.ENGINEER,), ("job", "jobs"), RUNS),
    Topic("models", _("Models and data"), (R.ENGINEER, R.RELEASE),
          ("model", "models", "version", "dataset", "datasets", "register"), MODELS),
    Topic("releases", _("Releases"), (R.RELEASE, R.LEGAL, R.APPROVER), (), RELEASES),
    Topic("figures", _("Figures"), (R.EXECUTIVE, R.AUDITOR), ("dashboard", "figure", "figures", "forecast"), FIGURES),
    Topic("evidence", _("Reports and the ledger"), (R.AUDITOR, R.EXECUTIVE, R.LEGAL),
          ("report", "reports", "ledger", "replay", "paper", "papers", "audit", "sample", "export"), EVIDENCE),
    Topic("duties", _("Duties and messages"), (R.LEGAL, R.APPROVER, R.RELEASE),
          ("duties", "containment", "recipients", "reservations", "reservation", "patches", "patch", "agents", "agent",
           "uploads", "upload", "retention", "erasure", "versions", "order", "subscribers", "subscriber", "outbox",
           "letters", "letter", "webhooks", "webhook", "message"), DUTIES),
    Topic("set-up", _("Setting up"), (R.ADMINISTRATOR,), ("set", "people", "person", "organisation"), SET_UP),
    Topic("account", _("Your account"), tuple(R), ("own", "account", "mfa", "usersessions"), ACCOUNT),
)  # fmt: skip

#: Words of the staff's pages, beside those that everybody's pages and the reports explain (`governance.glossary`).
WORDS = (
    Term("clock", _("Clock"), _("The days that a law gives for an answer, with its pauses and extensions.")),
    Term("hit", _("Hit"), _("A record of a training set that resembles what was sent.")),
    Term("forget-set", _("Forget set"), _("The records that two people decided to erase, by number alone.")),
    Term("candidate", _("Candidate"), _("The changed model before it is judged and released.")),
    Term("reference", _("Reference"), _("A model trained without the records, for comparison; never in service.")),
    Term("verdict", _("Verdict"), _("Pass, fail or inconclusive, by thresholds that were fixed before the run.")),
    Term("lineage", _("Lineage"), _("A training in parts, from which a record can be deleted exactly.")),
    Term("hold", _("Legal hold"), _("What keeps a case and its data from being deleted until two people lift it.")),
    Term("ledger", _("Ledger"), _("The list of every act, which can only grow; a hash tree shows every change.")),
)


def topic_of(page: str) -> str:
    """The topic to which "Help" leads from a page, by the first word of its name; empty: to all of them."""
    first = page.partition("_")[0]
    return next((topic.name for topic in TOPICS if first in topic.pages or page in topic.pages), "")
