"""What a house still has to do before strangers may rely on it: each point is looked up, none is ticked by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from governance.evidence.errors import SealError
from governance.evidence.identity import certificate_fingerprint
from governance.models import AiModel, Dataset, Role, User
from governance.notifications import letters as files
from governance.notifications.languages import LANGUAGES
from governance.policies import Actor, Permission, demand
from governance.selectors import organisation, people
from governance.services import letters, verification_policies


@dataclass(frozen=True)
class Point:
    """One thing: whether it is done, what was found, and where to go on (the name of a page, or empty)."""

    title: str
    done: bool
    found: str
    page: str = ""
    #: Without it the house runs, and says less than it could.
    optional: bool = False


def points(actor: Actor) -> list[Point]:
    """Every point, in the order in which a new house does them.

    Raises:
        NotAllowed: the policy refuses the actor.
    """
    demand(actor, Permission.MANAGE_USERS)
    return [*_house(), *_people(actor), *_proof(), *_work()]


def _house() -> Iterator[Point]:
    house = organisation.current()
    signed = house.version > 0
    yield Point(
        _("Organisation"), signed,
        _("%(name)s, signed by two administrators") % {"name": house.name} if signed
        else _("%(name)s, from the settings; nobody has signed it") % {"name": house.name},
    )  # fmt: skip
    yield Point(
        _("Data protection officer"), bool(house.officer),
        house.officer or _("none named; many controllers need one (GDPR Art. 37)"), optional=True,
    )  # fmt: skip
    yield Point(
        _("Calendar"), bool(house.place),
        _("public holidays of %(place)s") % {"place": house.place} if house.place
        else _("the Union's own; name a country where national holidays move your dates"), optional=True,
    )  # fmt: skip


def _people(actor: Actor) -> Iterator[Point]:
    rows = [one for one in people.people(actor) if one.user.is_active]
    held = {Role(one.user.role) for one in rows}
    missing = [str(role.label) for role in Role if role not in held and role is not Role.NONE]
    yield Point(
        _("Roles"), not missing,
        _("nobody is: %(roles)s") % {"roles": ", ".join(missing)} if missing else _("each role has somebody"), "people",
    )  # fmt: skip
    bare = sum(not one.second_factor for one in rows)
    yield Point(
        _("Second factors"), not bare,
        _("%(n)d of %(all)d people have none and cannot decide") % {"n": bare, "all": len(rows)} if bare
        else _("everybody has one"), "people",
    )  # fmt: skip
    two = User.objects.filter(role=Role.ADMINISTRATOR, is_active=True).count()
    yield Point(
        _("Two administrators"), two >= 2,  # noqa: PLR2004 - four eyes
        _("%(n)d; with one alone no role can be given") % {"n": two}, "people",
    )  # fmt: skip


def _proof() -> Iterator[Point]:
    try:
        seal = certificate_fingerprint(settings.SEAL_CERTIFICATE)
    except (SealError, OSError):
        yield Point(_("Seal"), False, _("no certificate is to be read; run manage.py bootstrap"))
    else:
        yield Point(
            _("Seal"), True,
            _("fingerprint %(seal)s: print it, and publish it on a site that is not this one") % {"seal": seal},
        )  # fmt: skip
    yield Point(
        _("Time by somebody else"), bool(settings.TSA_URL),
        settings.TSA_URL or _("no time-stamping authority: reports prove no time to others (LETHE_TSA_URL)"),
        optional=True,
    )  # fmt: skip
    sent = settings.EMAIL_KIND not in ("file", "console")
    yield Point(
        _("E-mail"), sent,
        _("goes out by %(kind)s") % {"kind": settings.EMAIL_KIND} if sent
        else _("is written to a folder of this machine and reaches nobody (LETHE_EMAIL)"), "outbox",
    )  # fmt: skip
    yield Point(
        _("Encrypted connections"), settings.SECURE,
        settings.BASE_URL if settings.SECURE
        else _("%(url)s is for this machine alone (LETHE_URL)") % {"url": settings.BASE_URL},
    )  # fmt: skip


def _work() -> Iterator[Point]:
    texts = [files.template(name, language) for language in LANGUAGES for name in files.names()]
    read = sum(letters.is_reviewed(text) for text in texts)
    yield Point(
        _("Letters read by counsel"), read == len(texts),
        _("%(n)d of %(all)d texts; the others say so to whoever gets them") % {"n": read, "all": len(texts)}, "letters",
        optional=True,
    )  # fmt: skip
    newest = verification_policies.newest()
    yield Point(
        _("Thresholds of the verdict"), True,
        _("policy %(n)d of the house") % {"n": newest.version} if newest else _("the engine's own policy"),
    )  # fmt: skip
    models, datasets = AiModel.objects.count(), Dataset.objects.count()
    yield Point(
        _("Models and datasets"), bool(models and datasets),
        _("models: %(models)d, datasets: %(datasets)d; an ML engineer registers them")
        % {"models": models, "datasets": datasets},
    )  # fmt: skip
