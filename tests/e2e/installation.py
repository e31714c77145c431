"""An installation of its own with everything that runs in it, as a program that a test starts and asks.

    LETHE_HOME=... PORT=... python -m tests.e2e.installation --artists 3 --persons 4

It makes accounts, starts web server, workers and scheduler, lets the engine train a small model, and prints one line
of JSON. Then it answers questions, one a line: `jobs`, `versions`, `confirm a plan`. At the end of its input it ends
every process. Cases in other states are filed where there are artists and persons enough.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import django

from governance.secrets import ensure_secrets, home, secrets_folder

MARK = "answer: "


def main() -> None:
    """Build, serve, answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--artists", type=int, default=3)
    parser.add_argument("--persons", type=int, default=4)
    options = parser.parse_args()
    ensure_secrets(secrets_folder())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
    django.setup()
    serve(options)


def serve(options: argparse.Namespace) -> None:
    """The group of processes, for as long as somebody asks."""
    from django.conf import settings
    from django.core.management import call_command

    from governance.management.demo import organisation, others, people
    from governance.management.demo.console import Stages
    from governance.management.demo.supervision import Group

    call_command("bootstrap", verbosity=0)
    sign_ins = people.accounts()
    with Group(int(os.environ["PORT"]), settings.BASE_URL) as group:
        group.wait_until_up()
        organisation.build(
            Stages(), seed=options.seed, base_url=settings.BASE_URL, artists=options.artists, persons=options.persons
        )
        if options.artists >= 3 and options.persons >= 4:
            others.file_others()
        say({"people": {one.role.value: [one.email, one.password] for one in sign_ins}, **artist(home() / "works")})
        for line in sys.stdin:
            say(ANSWERS[line.strip()]())


def artist(folder: Path) -> dict[str, Any]:
    """Who files, and the works as files that the artist has."""
    from governance.management.demo import organisation

    subject = next(s for s in organisation.corpus_json("subjects")["subjects"] if s["id"] == organisation.ARTIST)
    folder.mkdir(exist_ok=True)
    for data in organisation.works().values():
        title, _, text = data.decode().partition("\n")
        (folder / f"{title.strip()}.txt").write_text(text.strip(), encoding="utf-8")
    return {"artist": subject["name"], "email": subject["email"], "works": str(folder)}


def jobs() -> list[dict[str, Any]]:
    """Every job of the installation, oldest first; `log` holds the engine's events over all attempts."""
    from governance import dispatch
    from governance.models import Job

    found = []
    for job in Job.objects.order_by("created_at"):
        done = job.kind.startswith("engine.") and job.state == Job.State.SUCCEEDED
        ref = dispatch.read_json(job.result)["outputs"]["progress"] if done else ""
        log = [json.loads(line) for line in dispatch.read_bytes(ref).splitlines() if line.endswith(b"}")] if ref else []
        found.append({"id": str(job.pk), "key": job.key, "kind": job.kind, "state": job.state,
                      "attempt": job.attempt, "log": log})  # fmt: skip
    return found


def versions() -> list[dict[str, Any]]:
    """Every version of the model, and the plan that made it."""
    from governance.models import ModelVersion

    return list(ModelVersion.objects.order_by("revision").values("revision", "state", "method", "plan__attempt"))


def confirm_a_plan() -> str:
    """A case by post, worked by its services until the engine has its first plan; returns the case's number."""
    from governance.management.demo import organisation, waiting
    from governance.management.demo.people import actor
    from governance.models import Channel, Decision, Kind, Role, Status
    from governance.services import decision, intake, planning, proof, review

    legal, texts = actor(Role.LEGAL), [data.decode().partition("\n") for data in organisation.works().values()]
    case = intake.case_file(
        kind=Kind.COPYRIGHT,
        law="house",
        name="The artist",
        email="artist@studio.example",
        items=[intake.Item(form="text", title=title, text=text.strip()) for title, _, text in texts],
        actor=legal,
        channel=Channel.POST,
    )
    proof.proof_record(case=case, level=3, note="Seen.", actor=legal)
    proof.proof_accept(case=case, actor=legal)
    review.case_admit(case=case, actor=legal)
    case.refresh_from_db()
    if case.status == Status.MATCHING:
        waiting.for_case(case, lambda share, text: None)
    erase = decision.Proposal(choice=Decision.Choice.ERASE, ground="Company policy on opt-outs")
    decision.decision_propose(case=case, proposals={m.pk: erase for m in case.matches.all()}, actor=legal)
    decision.decision_approve(case=case, shown=decision.mark(case), actor=actor(Role.APPROVER))
    waiting.for_plan(case, lambda share, text: None)
    # Whatever is ranked first: this one takes long enough to leave a checkpoint.
    why = "A run that is to be killed must leave a checkpoint before it ends."
    planning.plan_choose(case=case, actor=actor(Role.ENGINEER), method="graddiff", reason=why)
    planning.plan_confirm(case=case, shown=planning.mark(case.plans.last()), actor=actor(Role.APPROVER))
    return case.number


ANSWERS = {"jobs": jobs, "versions": versions, "confirm a plan": confirm_a_plan}


def say(answer: Any) -> None:
    """One line of JSON, marked, since the set-up prints lines of its own."""
    sys.stdout.write(f"{MARK}{json.dumps(answer)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
