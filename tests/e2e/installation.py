"""An installation of its own with everything that runs in it, as a program that a test starts and asks.

    LETHE_HOME=... PORT=... python -m tests.e2e.installation --artists 3 --persons 4

It makes accounts, starts web server, workers and scheduler, lets the engine train a small model, and prints one line
of JSON. Then it answers questions, one a line: `jobs`, `versions`. At the end of its input it ends every process.
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
    """Every job of the installation, oldest first."""
    from governance.models import Job

    return [
        {"id": str(j.pk), "key": j.key, "kind": j.kind, "state": j.state, "attempt": j.attempt, "progress": j.progress}
        for j in Job.objects.order_by("created_at")
    ]


def versions() -> list[dict[str, Any]]:
    """Every version of the model, and the plan that made it."""
    from governance.models import ModelVersion

    return list(ModelVersion.objects.order_by("revision").values("revision", "state", "method", "plan__attempt"))


ANSWERS = {"jobs": jobs, "versions": versions}


def say(answer: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
