"""Sign-in of staff, the second factor, the fresh password before a decision, sessions at rest."""

from __future__ import annotations

import base64
import html
import re
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from governance import urls
from governance.errors import Conflict
from governance.models import Role, User
from governance.policies import Permission
from governance.web import second_factor
from governance.web.guards import KEPT, KEPT_MOST, staff
from tests.governance.staff import member

PASSWORD = "a long and quiet river"


@staff(Permission.REVIEW)
def look(request: HttpRequest) -> HttpResponse:
    return HttpResponse("seen")


@staff(Permission.REVIEW, decide=True)
def decide(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"decided: {request.POST.get('reason', '')}")


@staff(Permission.SEE_DESK)
def refuse(request: HttpRequest) -> HttpResponse:
    raise Conflict("Somebody else changed the case first.")


@pytest.fixture(autouse=True)
def _rooms(settings: Any) -> Iterator[None]:
    """Three staff pages beside the real ones."""
    module = ModuleType("tests_rooms")
    rooms = [path("t/look/", look), path("t/decide/", decide), path("t/refuse/", refuse)]
    module.urlpatterns = [*rooms, *urls.urlpatterns]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = module
    yield


@pytest.fixture
def legal() -> User:
    return member("legal@house.example", PASSWORD, role=Role.LEGAL)


def sign_in(client: Client, user: User, **more: Any) -> Any:
    return client.post("/accounts/login/", {"login": user.email, "password": PASSWORD}, **more)


def test_staff_sign_in_with_address_and_password_and_come_to_their_desk(client: Client, legal: User) -> None:
    answer = sign_in(client, legal)
    assert (answer.status_code, answer["Location"]) == (302, "/desk/")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.NONE])
def test_the_desk_leads_each_role_to_a_room_that_it_may_enter(client: Client, role: Role) -> None:
    client.force_login(member("x@house.example", PASSWORD, role=role))
    answer = client.get("/desk/", follow=True)
    rooms = {
        Role.LEGAL: "today",
        Role.APPROVER: "today",
        Role.EXECUTIVE: "dashboard",
        Role.AUDITOR: "dashboard",
        Role.ADMINISTRATOR: "people",
    }
    assert answer.status_code == 200
    assert answer.resolver_match is not None
    assert answer.resolver_match.url_name == rooms.get(role, "cases")


def test_an_account_without_a_role_reads_what_it_waits_for(client: Client) -> None:
    client.force_login(member("x@house.example", role=Role.NONE))
    answer = client.get("/desk/")
    assert answer.status_code == 403 and "when a second administrator signs it" in answer.content.decode()


def test_nobody_registers_themselves(client: Client) -> None:
    client.post("/accounts/signup/", {"email": "new@house.example", "password1": PASSWORD})
    assert not User.objects.exists()
    for gone in ("/accounts/email/", "/accounts/password/set/"):
        assert client.get(gone).status_code == 404


def test_a_wrong_password_says_the_same_as_an_unknown_address(client: Client, legal: User) -> None:
    texts = []
    for login in (legal.email, "nobody@house.example"):
        answer = client.post("/accounts/login/", {"login": login, "password": "wrong"})
        assert answer.status_code == 200
        texts.append(answer.content.decode().replace(login, ""))
    assert "are not correct" in texts[0]
    assert texts[0].count("are not correct") == texts[1].count("are not correct")


def test_guessing_passwords_is_slowed_down(client: Client, legal: User) -> None:
    answers = {
        client.post("/accounts/login/", {"login": legal.email, "password": f"guess {n}"}).content for n in range(12)
    }
    assert any(b"Too many" in answer for answer in answers)


def test_without_a_sign_in_a_room_leads_to_the_door_and_back(client: Client) -> None:
    answer = client.get("/t/look/")
    assert answer["Location"] == "/accounts/login/?next=/t/look/"


def test_another_role_reads_which_roles_may_enter(client: Client) -> None:
    client.force_login(member("e@house.example", role=Role.EXECUTIVE))
    answer = client.get("/t/look/")
    assert answer.status_code == 403
    assert "It is for: Legal officer." in answer.content.decode()


def test_an_account_that_was_closed_has_no_way_in(client: Client, legal: User) -> None:
    client.force_login(legal)
    User.objects.update(is_active=False)
    assert client.get("/t/look/").status_code == 302


def test_looking_needs_no_second_factor_but_deciding_does(client: Client, legal: User) -> None:
    sign_in(client, legal)
    assert client.get("/t/look/").content == b"seen"
    assert client.get("/t/decide/")["Location"] == "/accounts/reauthenticate/?next=%2Ft%2Fdecide%2F"
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "/t/decide/"}, follow=True)
    assert answer.request["PATH_INFO"] == "/accounts/2fa/totp/activate/"
    assert "Decisions need a second factor." in answer.content.decode()


def test_a_form_that_was_sent_before_there_was_a_second_factor_is_kept(client: Client, legal: User) -> None:
    sign_in(client, legal)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    sent = {"reason": 'Two lines,\r\n"as typed" <b>', "hit": ["3", "5"]}
    answer = client.post("/t/decide/?tab=2", sent, follow=True)
    assert answer.request["PATH_INFO"] == "/accounts/2fa/totp/activate/"
    given = {"code": code_of(client.session["mfa.totp.secret"])}
    page = client.post("/accounts/2fa/totp/activate/", given, follow=True).content.decode()
    assert "Send it on" in page and "choose them again" not in page
    form = page.partition('action="/t/decide/?tab=2"')[2].partition("</form>")[0]
    fields = re.findall(r'name="([^"]+)" value="([^"]*)"', form)
    kept = [(name, html.unescape(value)) for name, value in fields if name != "csrfmiddlewaretoken"]
    assert kept == [("reason", sent["reason"]), ("hit", "3"), ("hit", "5")]
    assert client.post("/t/decide/?tab=2", sent).content.startswith(b"decided: Two lines")
    assert "Send it on" not in client.get("/accounts/2fa/recovery-codes/").content.decode(), "it was sent"


def test_a_form_that_would_burden_every_later_page_is_not_kept(client: Client, legal: User) -> None:
    sign_in(client, legal)
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/t/decide/", {"reason": "short"})
    assert KEPT in client.session
    client.post("/t/decide/", {"reason": "x" * KEPT_MOST})
    assert KEPT not in client.session


def code_of(secret: str, steps: int = 0) -> str:
    """What an authenticator shows now, or so many steps of 30 s from now."""
    return str(totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30 + steps)))


def code(user: User, steps: int = 0) -> str:
    return code_of(Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP).data["secret"], steps)


def test_the_second_factor_is_set_up_with_a_password_and_a_code(client: Client, legal: User) -> None:
    sign_in(client, legal)
    answer = client.get("/accounts/2fa/totp/activate/", follow=True)
    assert answer.request["PATH_INFO"] == "/accounts/reauthenticate/"
    answer = client.post(
        "/accounts/reauthenticate/", {"password": PASSWORD, "next": "/accounts/2fa/totp/activate/"}, follow=True
    )
    text = answer.content.decode()
    assert "Set up your authenticator" in text and 'src="data:image/svg+xml' in text
    client.post("/accounts/2fa/totp/activate/", {"code": code_of(client.session["mfa.totp.secret"])})
    assert Authenticator.objects.filter(user=legal, type=Authenticator.Type.TOTP).exists()


@pytest.fixture
def decider(client: Client, legal: User) -> Client:
    """A signed-in legal officer with a second factor, whose password was entered at sign-in only."""
    sign_in(client, legal)
    totp.TOTP.activate(legal, totp.generate_totp_secret())
    return client


def test_a_decision_asks_for_the_password_and_the_form_that_was_sent_is_sent_on(decider: Client) -> None:
    answer = decider.post("/t/decide/", {"reason": "Zoë’s works, seen"})
    assert answer["Location"] == "/accounts/reauthenticate/?next=%2Ft%2Fdecide%2F"
    wrong = decider.post("/accounts/reauthenticate/", {"password": "wrong", "next": "/t/decide/"})
    assert wrong.status_code == 200
    answer = decider.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "/t/decide/"})
    assert answer.content.decode() == "decided: Zoë’s works, seen"
    assert decider.post("/t/decide/", {"reason": "again"}).content == b"decided: again"


def test_after_five_minutes_the_password_is_asked_for_again(decider: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    decider.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert decider.get("/t/decide/").status_code == 200
    now = time.time()
    monkeypatch.setattr("allauth.account.internal.flows.reauthentication.time.time", lambda: now + 301)
    assert decider.get("/t/decide/").status_code == 302


def test_a_return_address_elsewhere_is_not_followed(decider: Client) -> None:
    answer = decider.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "https://evil.example/"})
    assert "evil" not in answer.get("Location", "")


def test_a_session_at_rest_is_sealed(decider: Client) -> None:
    decider.post("/t/decide/", {"reason": "Zoë lives at 4 Mill Lane"})
    stored = Session.objects.get().session_data
    raw = base64.urlsafe_b64decode(stored.lstrip(".").split(":")[0] + "==")
    assert b"Mill" not in raw and b"_auth_user_id" not in raw


def test_a_session_that_cannot_be_opened_counts_as_none(decider: Client) -> None:
    Session.objects.update(session_data="forged")
    assert decider.get("/t/look/").status_code == 302


def test_with_a_second_factor_the_password_alone_opens_nothing(client: Client, legal: User) -> None:
    totp.TOTP.activate(legal, totp.generate_totp_secret())
    answer = sign_in(client, legal)
    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/t/look/").status_code == 302
    client.post("/accounts/2fa/authenticate/", {"code": code(legal)})
    assert client.get("/t/look/").status_code == 200


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_that_is_late_by_a_step_is_in_time(
    client: Client, legal: User, steps: int, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_790_000_010.0)
    totp.TOTP.activate(legal, totp.generate_totp_secret())
    secret = Authenticator.objects.get(user=legal).data["secret"]
    assert totp.validate_totp_code(secret, code(legal, steps)) is right


def test_a_code_that_was_used_opens_nothing_while_it_is_right(client: Client, legal: User) -> None:
    """Also after the step for which allauth itself remembers it."""
    totp.TOTP.activate(legal, totp.generate_totp_secret())
    used = code(legal)
    sign_in(client, legal)
    assert client.post("/accounts/2fa/authenticate/", {"code": used}).status_code == 302
    cache.delete(totp.TOTP(Authenticator.objects.get(user=legal))._get_used_cache_key(used))
    for spelling in (used, f"{used[:3]} {used[3:]}", f"{used[:3]}-{used[3:]}"):
        thief = Client()
        sign_in(thief, legal)
        answer = thief.post("/accounts/2fa/authenticate/", {"code": spelling})
        assert answer.status_code == 200 and "Incorrect code" in answer.content.decode()
        assert thief.get("/t/look/").status_code == 302


def test_a_memory_that_does_not_answer_locks_nobody_out(
    client: Client, legal: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        """The shared cache while its server is down: nothing is held, nothing taken."""

        def add(self, *_given: object) -> bool:
            return False

        def get(self, *_given: object) -> None:
            return None

    totp.TOTP.activate(legal, totp.generate_totp_secret())
    monkeypatch.setattr(second_factor, "cache", Silent())
    sign_in(client, legal)
    assert client.post("/accounts/2fa/authenticate/", {"code": code(legal)}).status_code == 302
    assert client.get("/t/look/").status_code == 200


def test_a_refusal_of_a_service_becomes_a_page_with_its_sentence(client: Client, legal: User) -> None:
    client.force_login(legal)
    answer = client.get("/t/refuse/")
    assert answer.status_code == 409
    assert "Somebody else changed the case first." in answer.content.decode()


def test_signing_out_asks_first_and_ends_the_session(client: Client, legal: User) -> None:
    client.force_login(legal)
    assert client.get("/accounts/logout/").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/t/look/").status_code == 302
