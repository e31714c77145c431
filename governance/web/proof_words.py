"""Words of the pages on which a claimant shows that something is theirs: what each way takes, and what it unlocks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.utils.translation import gettext_lazy as _

from governance.models import Challenge

M = Challenge.Method

#: Level -> what it unlocks (`law.md`), told before anything is asked.
UNLOCKS: Mapping[int, Any] = MappingProxyType(
    {
        1: _("What you named is left out of future training."),
        2: _("Matching records are set aside until your case is decided."),
        3: _("A change of the models themselves can be decided."),
        4: _("A change of the models themselves can be decided."),
        5: _("The erasure of your data can be decided."),
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
STATES = MappingProxyType(
    {
        Challenge.State.OPEN: ("waiting", _("Begun")),
        Challenge.State.WAITING: ("waiting", _("A person looks at it")),
        Challenge.State.PROVEN: ("pass", _("Shown")),
        Challenge.State.REFUSED: ("refused", _("Not accepted")),
        Challenge.State.SPENT: ("refused", _("Too many tries")),
        Challenge.State.ENDED: ("info", _("Ended by you")),
    }
)
#: Why a try showed nothing; `services.proofs` gives the code.
WHY: Mapping[str, Any] = MappingProxyType(
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
