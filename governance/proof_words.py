"""What is told about proofs, on the pages and by the interface: what a way takes and unlocks, its steps, and refusals.

Services refuse by a code of this table; its sentence is chosen here, in the language of whoever reads.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from governance import proof_checks as checks
from governance.errors import Conflict, GovernanceError, Unfit
from governance.models import Challenge

M, State = Challenge.Method, Challenge.State

#: Level -> what it unlocks (`law.md`), told before anything is asked.
UNLOCKS: Mapping[int, Any] = MappingProxyType(
    {
        1: _("We undertake to leave what you named out of future training."),
        2: _("Matching records are set aside until your case is decided."),
        3: _("A change of the models themselves can be decided."),
        4: _("A change of the models themselves can be decided."),
        5: _("The erasure of your data can be decided."),
    }
)
#: Level -> what is shown, to whoever showed it.
SHOWN: Mapping[int, Any] = MappingProxyType(
    {
        1: _("The e-mail address is yours."),
        2: _("A public page is yours."),
        3: _("A domain or a signing key is yours."),
        4: _("A registry or signed files name you."),
        5: _("You use an account or a channel that we know from before."),
    }
)
#: Method -> (title, what it takes, the question, an example).
WAYS: Mapping[str, tuple[Any, Any, Any, Any]] = MappingProxyType(
    {
        M.PROFILE: (
            _("A code on your public profile"),
            _("You put a short code on a public page that only you can edit. We read the page once you say so."),
            _("Address of your page"),
            _("For example https://example.org/your-name"),
        ),
        M.DNS: (
            _("A DNS record of your domain"),
            _("You, or whoever looks after your website, add one line of text to your domain."),
            _("Your domain"),
            _("For example example.org"),
        ),
        M.WELL_KNOWN: (
            _("A file on your website"),
            _("You put a small text file on your own website."),
            _("Your domain"),
            _("For example example.org"),
        ),
        M.SIGNATURE: (
            _("A signature with your published key"),
            _("For people who use Ed25519 keys. A key on your own domain counts as the domain, else as a page."),
            _("Your domain, or the address of your public key"),
            _("For example example.org or https://example.com/your-name.keys"),
        ),
        M.REGISTRY: (
            _("A registry number of your work"),
            _("ISBN, ISRC, ISWC or ISCC. A number is public, so a person compares the register with your request."),
            _("The number"),
            _("For example ISBN 978-3-16-148410-0"),
        ),
        M.CREDENTIALS: (
            _("Content credentials in your file"),
            _("Some cameras and programs sign a file. We check that the signature fits the file; "
              "a person compares the signer with your request."),
            _("The file"),
            "",
        ),
        M.CHANNEL: (
            _("An account or a channel that we know already"),
            _("Name an account, a telephone number or an address that you used with us before this request. "
              "We send a code there. We ask for no copy of an identity card."),
            _("Which account or channel?"),
            _("For example: my account ada_q, or the address to which you write my invoices"),
        ),
    }
)  # fmt: skip
#: What was seen of a file's credentials: the state of the library, in words for whoever handed it in.
SIGNERS: Mapping[str, Any] = MappingProxyType(
    {
        "Trusted": _("The signature fits the file, and its signer is on a list that we trust. A person compares the "
                     "signer with your request."),
        "Valid": _("The signature fits the file. Its signer is on no list that we trust, so a person looks more "
                   "closely."),
    }
)  # fmt: skip
#: Where a challenge stands, to whoever began it.
STATES: Mapping[str, Any] = MappingProxyType(
    {
        State.OPEN: _("Begun"),
        State.WAITING: _("A person looks at it"),
        State.PROVEN: _("Shown"),
        State.REFUSED: _("Not accepted"),
        State.SPENT: _("Too many tries"),
        State.ENDED: _("Ended by you"),
    }
)
DECLARATION = _("I declare that I hold the rights in the works of this request, or act for whoever does")

NOTHING_THERE = _("This case has no such proof.")
#: Why a try showed nothing; the checks give the code.
NOT_SHOWN: Mapping[str, Any] = MappingProxyType(
    {
        "no_code": _("We read it, but the code is not there. Check that it is whole and saved, and try again."),
        "elsewhere": _("The page sends us on to another website. Name the address where it really is."),
        "not_public": _("This address is not public, so we do not read it."),
        "no_answer": _("Nothing answered at this address. It must be public and begin with https://"),
        "status": _("The page did not open for us. It must be visible without signing in."),
        "no_record": _("There is no such record yet. New records can take some hours to be seen everywhere."),
        "no_dns": _("The name servers of the domain did not answer. Try again later."),
        "no_key": _("There is no Ed25519 key at this address."),
        "no_signature": _("This is not a signature that we can read. Paste the whole output of the command."),
        "wrong_signature": _("The signature does not fit the text and the published key."),
        "wrong_code": _("This is not the code that we sent."),
    }
)
#: Why a step was refused: (the error, its sentence).
REFUSALS: Mapping[str, tuple[type[GovernanceError], Any]] = MappingProxyType(
    {
        **{code: (Unfit, words) for code, words in NOT_SHOWN.items()},
        "not_for_kind": (Unfit, _("This is not asked for in a case of this kind.")),
        "not_declared": (
            Unfit,
            _("Declare that the works are yours, or that you act for whoever holds the rights: control of a page or a "
              "domain alone does not show it."),
        ),
        "too_many_open": (
            Conflict,
            _("At most %(most)s proofs can be open at once. End one of them first, or go on with it."),
        ),
        "too_many_today": (Conflict, _("At most %(most)s proofs can be begun in a day. Come back tomorrow.")),
        "case_closed": (Conflict, _("Case %(number)s is closed; nothing more is to be shown.")),
        "not_confirmed": (Conflict, _("First follow the link in our letter; then show more.")),
        "no_target": (Unfit, _("Write what you want to show, in at most %(most)s characters.")),
        "no_domain": (Unfit, _("This is no domain. Write it like this: example.org")),
        "no_page": (Unfit, _("Write the whole address of the page, beginning with https://")),
        "no_file": (Unfit, _("Add the file to your case first, then choose it here.")),
        "no_reader": (Unfit, _("This house cannot read content credentials; choose another way.")),
        "no_credentials": (Unfit, _("The file holds no content credentials.")),
        "altered_file": (
            Unfit,
            _("The file was changed after it was signed. Send it as the camera or the program wrote it."),
        ),
        "broken_credentials": (
            Unfit,
            _("The signature of the content credentials does not hold."),
        ),
        "for_a_person": (Conflict, _("A person looks at this; there is nothing to try.")),
        "over": (Conflict, _("This proof is over. Begin a new one.")),
        "too_soon": (Conflict, _("Wait %(seconds)s seconds between two tries.")),
        "used": (Conflict, _("This proof was used or ended in the meantime.")),
        "doubt_settled": (Conflict, _("Our doubt was settled in the meantime; no document is needed any more.")),
    }
)  # fmt: skip


def refused(code: str, **values: object) -> GovernanceError:
    """The error for a code, its sentence in the language of the moment."""
    kind, words = REFUSALS[code]
    return kind(str(words) % values, code=code)


def not_shown(why: str, detail: str = "") -> GovernanceError:
    """The error for a try that showed nothing."""
    words = str(NOT_SHOWN[why])
    return Unfit(f"{words} ({detail})" if why == "status" and detail else words, code=why)


@dataclass(frozen=True)
class Step:
    """One thing to do, and what is to be taken over word for word."""

    say: str
    copy: tuple[str, ...] = ()


def place(row: Challenge) -> str:
    """Where what is shown must stand; empty where it is told in an answer."""
    if row.method == M.DNS:
        return f"{checks.RECORD}.{row.target}"
    if row.method == M.WELL_KNOWN:
        return f"https://{row.target}{checks.NONCE_PATH}"
    if row.method == M.SIGNATURE:
        return row.target if "/" in row.target else f"https://{row.target}{checks.KEY_PATH}"
    return row.target if row.method == M.PROFILE else ""


def signed_text(row: Challenge) -> str:
    """What is signed; empty where nothing is."""
    return checks.challenge_text(row.case.number, row.target, row.code) if row.method == M.SIGNATURE else ""


def steps(row: Challenge) -> list[Step]:
    """What is to be done, in order. The code of a channel is told through that channel alone."""
    where, method = place(row), row.method
    if method == M.PROFILE:
        return [
            Step(gettext("Open your page and edit it:"), (where,)),
            Step(gettext("Put this code anywhere on it, then save:"), (row.code,)),
        ]
    if method == M.DNS:
        return [
            Step(gettext("Where your domain is managed, add a record of the type TXT with this name:"), (where,)),
            Step(gettext("Give it this value, then save:"), (row.code,)),
        ]
    if method == M.WELL_KNOWN:
        return [
            Step(gettext("Make a text file that holds this line and nothing else:"), (row.code,)),
            Step(gettext("Put it on your website, so that it opens at this address:"), (where,)),
        ]
    if method == M.SIGNATURE:
        write = f"printf '%s' {shlex.quote(signed_text(row))} > lethe.txt"
        openssl = "openssl pkeyutl -sign -rawin -inkey key.pem -in lethe.txt | base64"
        ssh = f"ssh-keygen -Y sign -f ~/.ssh/id_ed25519 -n {checks.NAMESPACE} lethe.txt && cat lethe.txt.sig"
        return [
            Step(gettext("Your public key must be readable here:"), (where,)),
            Step(gettext("Write the text that you sign into a file:"), (write,)),
            Step(gettext("Sign it with one of these commands:"), (openssl, ssh)),
            Step(gettext("Paste below what the command prints.")),
        ]
    return [
        Step(
            gettext("A person checks that we know this channel from before, then sends a code there. "
                 "This can take some days.")
        ),
        Step(gettext("Enter the code here when it has come.")),
    ]  # fmt: skip
