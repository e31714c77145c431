"""The pictures of the README, from the demonstration's installation: `python -m tests.e2e.screenshots --seed 1`.

Runs the demonstration once where that was not done yet, starts its processes, and writes docs/screenshots/*.png. Staff
are signed in by session, since their passwords were printed once and are kept nowhere. Needs Chromium and pdftoppm.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import django

from governance.secrets import BASE_DIR
from tests.e2e.browser import PHONE, WIDE, Window, chromium

FOLDER = BASE_DIR / "docs" / "screenshots"
LIMIT_BYTES = 250_000


def main() -> None:
    """Demonstration, processes, pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    home = BASE_DIR / "var" / f"demo-{options.seed}"
    if not list(home.glob("reports/*.pdf")):
        demo = ["demo", "--once", "--seed", str(options.seed), "--port", str(options.port)]
        subprocess.run([sys.executable, "manage.py", *demo], cwd=BASE_DIR, check=True)
    os.environ.update(
        LETHE_HOME=str(home),
        LETHE_URL=f"http://127.0.0.1:{options.port}",
        LETHE_ORGANISATION="Meridian Loom",
        PORT=str(options.port),
        DJANGO_SETTINGS_MODULE="governance.settings",
        # The browser's library keeps an event loop in this thread.
        DJANGO_ALLOW_ASYNC_UNSAFE="1",
    )
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from governance.management.demo.supervision import Group

    call_command("bootstrap", verbosity=0)
    FOLDER.mkdir(exist_ok=True)
    with Group(options.port, settings.BASE_URL) as group:
        group.wait_until_up()
        draw(settings.BASE_URL)
    report(next(home.glob("reports/*.pdf")))
    too_big = [p.name for p in FOLDER.glob("*.png") if p.stat().st_size > LIMIT_BYTES]
    if too_big:
        sys.exit(f"Pictures above {LIMIT_BYTES} bytes: {', '.join(too_big)}")


def draw(base_url: str) -> None:
    """The pages, each as the person sees whose page it is."""
    from governance.models import Case, Channel, Role, Status
    from governance.tokens import link_token

    worked = Case.objects.filter(channel=Channel.FORM, status=Status.CLOSED).order_by("created_at").first()
    waiting = Case.objects.filter(status=Status.DECISION).order_by("created_at").first()
    if worked is None or waiting is None:
        sys.exit("The demonstration's case was not worked to its end; run `python manage.py demo --once` first.")
    pages = (
        ("dashboard-light", Role.EXECUTIVE, "/dashboard/", WIDE),
        ("case", Role.LEGAL, f"/cases/{waiting.public_id}/", WIDE),
        ("verification", Role.ENGINEER, f"/cases/{worked.public_id}/verification/", WIDE),
        ("status-phone", None, f"/status/{link_token(worked.public_id, 'status')}/", PHONE),
    )
    with chromium() as browser:
        for name, role, path, size in pages:
            window = Window(browser, size)
            if role:
                window.context.add_cookies([{"name": "sessionid", "value": session(role), "url": base_url}])
            window.page.goto(base_url + path)
            window.page.wait_for_load_state("networkidle")
            window.page.screenshot(path=FOLDER / f"{name}.png")
            window.context.close()


def session(role: str) -> str:
    """A session of the demonstration's person with this role."""
    from django.test import Client

    from governance.models import User

    client = Client()
    client.force_login(User.objects.get(email=f"{role}@lethe.example"))
    return client.cookies["sessionid"].value


def report(pdf: Path) -> None:
    """The first page of the signed report."""
    target = FOLDER / "report-page-1"
    subprocess.run(["pdftoppm", "-png", "-r", "90", "-f", "1", "-l", "1", "-singlefile", pdf, target], check=True)


if __name__ == "__main__":
    main()
