"""The pictures of README and docs, from the demonstration's installation: `make screenshots`.

Runs the demonstration once where that was not done yet, starts its processes, and writes docs/screenshots/*.png. Staff
are signed in by session, since their passwords were printed once and are kept nowhere. Needs Chromium and pdftoppm.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
from pathlib import Path

import django
from PIL import Image

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


def pages() -> list[tuple[str, str | None, str, tuple[int, int]]]:
    """Name, whose page it is, address, size: one row a picture, taken in both themes."""
    from governance.models import Case, Channel, Job, Role, Status
    from governance.tokens import link_token

    worked = Case.objects.filter(channel=Channel.FORM, status=Status.CLOSED).order_by("created_at").first()
    waiting = Case.objects.filter(status=Status.DECISION).order_by("created_at").first()
    run = Job.objects.filter(kind="engine.unlearn", state=Job.State.SUCCEEDED).order_by("created_at").first()
    if worked is None or waiting is None or run is None:
        sys.exit("The demonstration's case was not worked to its end; run `python manage.py demo --once` first.")
    return [
        ("dashboard", Role.EXECUTIVE, "/dashboard/", WIDE),
        ("queue", Role.LEGAL, "/cases/", WIDE),
        ("case", Role.LEGAL, f"/cases/{waiting.public_id}/", WIDE),
        ("verification", Role.ENGINEER, f"/cases/{worked.public_id}/verification/", WIDE),
        ("job", Role.ENGINEER, f"/jobs/{run.pk}/", WIDE),
        ("jobs", Role.ENGINEER, "/jobs/", WIDE),
        ("ledger", Role.AUDITOR, "/ledger/", WIDE),
        ("set-up", Role.ADMINISTRATOR, "/set-up/", WIDE),
        ("opt-out-phone", None, "/opt-out/", PHONE),
        ("status-phone", None, f"/status/{link_token(worked.public_id, 'status')}/", PHONE),
    ]


def draw(base_url: str) -> None:
    """The pages, each as the person sees whose page it is, by day and by night."""
    with chromium() as browser:
        for name, role, path, size in pages():
            window = Window(browser, size)
            if role:
                window.context.add_cookies([{"name": "sessionid", "value": session(role), "url": base_url}])
            for theme in ("light", "dark"):
                window.page.emulate_media(color_scheme=theme)
                window.page.goto(base_url + path)
                window.page.wait_for_load_state("networkidle")
                shrink(window.page.screenshot(), FOLDER / f"{name}-{theme}.png")
            window.context.close()


def shrink(picture: bytes, path: Path) -> None:
    """A picture of a page has few colours: 128 of them, named once, take a quarter of the bytes."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)


def session(role: str) -> str:
    """A session of the demonstration's person with this role."""
    from django.test import Client

    from governance.models import User

    client = Client()
    client.force_login(User.objects.get(email=f"{role}@lethe.example"))
    return client.cookies["sessionid"].value


def report(pdf: Path) -> None:
    """The first page of the signed report."""
    drawn = ["pdftoppm", "-png", "-r", "90", "-f", "1", "-l", "1", "-singlefile", pdf]
    shrink(subprocess.run(drawn, check=True, capture_output=True).stdout, FOLDER / "report-page-1.png")


if __name__ == "__main__":
    main()
