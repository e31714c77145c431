"""`manage.py demo`: build an organisation, work one case before the user's eyes, then serve until Ctrl-C."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from governance.errors import GovernanceError
from governance.management.demo import organisation, others, people, stranger
from governance.management.demo.claimant import ClaimantBrowser
from governance.management.demo.console import DemoError, Stages
from governance.management.demo.people import SignIn
from governance.management.demo.story import Story
from governance.management.demo.supervision import Group, check_machine
from governance.models import Case


class Command(BaseCommand):
    """The demonstration."""

    help = "Build a demonstration organisation and work one case from the web form to the signed report."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Seed, port, lineage, once."""
        parser.add_argument("--seed", type=int, default=1, help="another number gives another organisation")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--lineage", action="store_true", help="train the model in shards and slices, and delete from it exactly"
        )
        parser.add_argument("--once", action="store_true", help="end after the case instead of serving on")

    def handle(self, *args: Any, **options: Any) -> None:
        """Everything, with one clear sentence for whatever stops it."""
        started = time.monotonic()
        try:
            check_machine(options["port"])
            self._run(options, started)
        except KeyboardInterrupt:
            self.stdout.write("Stopped. Nothing is lost: make demo goes on from here.")
        except (DemoError, GovernanceError) as error:
            raise CommandError(str(error)) from error

    def _run(self, options: dict[str, Any], started: float) -> None:
        stages, base_url = Stages(), settings.BASE_URL
        with stages.stage("Set-up: databases, secrets, seal, static files"):
            call_command("bootstrap", verbosity=0)
            sign_ins = people.accounts()
        if any(one.password for one in sign_ins):
            # Kept nowhere: whoever stops the first run early would never learn them.
            self._sign_ins(stages, base_url, sign_ins)
        with Group(options["port"], base_url) as group:
            with stages.stage("Web server, workers and scheduler start", base_url):
                group.wait_until_up()
            if organisation.exists():
                stages.say("  = The organisation of an earlier run is used again.")
            else:
                organisation.build(stages, seed=options["seed"], base_url=base_url, lineage=options["lineage"])
            others.file_others()
            case = self._work(stages, base_url)
            self._close(stages, case, base_url, sign_ins, time.monotonic() - started)
            if not options["once"]:
                stages.say(f"\nServing on {base_url} until Ctrl-C.")
                sys.stdout.flush()
                group.serve()

    def _work(self, stages: Stages, base_url: str) -> Case:
        browser = ClaimantBrowser(base_url)
        case = browser.known_case()
        if case is None:
            with stages.stage("The artist files an opt-out at the web form", f"{base_url}/opt-out/"):
                case = browser.file_opt_out()
        elif not case.is_open:
            stages.say(f"  = Case {case.number} was worked by an earlier run; its result is shown again.")
        return Story(case, stages, browser, base_url).run()

    def _close(self, stages: Stages, case: Case, base_url: str, sign_ins: list[SignIn], seconds: float) -> None:
        outcome = stranger.examine(case, stages)
        stages.say(f"\n{case.report.headline}.")
        stages.say(f"As a stranger: {outcome.sentence}")
        stages.say(f"\nThe artist's page: {ClaimantBrowser(base_url).status_link(case)}")
        self._sign_ins(stages, base_url, sign_ins)
        for name, value in {**outcome.lines, "seconds": f"{seconds:.0f}"}.items():
            stages.say(f"{name}: {value}")

    def _sign_ins(self, stages: Stages, base_url: str, sign_ins: list[SignIn]) -> None:
        stages.say(f"Sign in at {base_url}/accounts/login/")
        for one in sign_ins:
            stages.say(f"  {one.role.label:<16} {one.email:<28} {one.password or '(printed when it was made)'}")
        stages.say()
