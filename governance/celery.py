"""The Celery application of the governance side: queues `default` and `signing`."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")

from django.conf import settings

from unlearning_engine.broker import configure

app = configure(Celery("governance"), settings.BROKER_URL)
app.conf.update(timezone="UTC")
app.conf.beat_schedule = {
    "sweep jobs": {"task": "governance.sweep_jobs", "schedule": 5.0},
    "send messages": {"task": "governance.send_messages", "schedule": 10.0},
    "count figures": {"task": "governance.count_figures", "schedule": 15.0},
    "count all figures anew": {"task": "governance.recount_figures", "schedule": 86400.0},
    "watch deadlines": {"task": "governance.watch_deadlines", "schedule": 3600.0},
    "read reservations again": {"task": "governance.recheck_reservations", "schedule": 900.0},
    "discard auditors' bundles": {"task": "governance.discard_bundles", "schedule": 3600.0},
    "sign the ledger": {
        "task": "governance.sign_ledger",
        "schedule": 60.0,
        "options": {"queue": app.conf.lethe_queues["signing"], "expires": 60.0},
    },
    "sign the feeds": {
        "task": "governance.sign_feeds",
        "schedule": 60.0,
        "options": {"queue": app.conf.lethe_queues["signing"], "expires": 60.0},
    },
    "renew time stamps": {
        "task": "governance.renew_stamps",
        "schedule": 86_400.0,
        "options": {"queue": app.conf.lethe_queues["signing"]},
    },
    "mail figures": {"task": "governance.mail_figures", "schedule": 3600.0},
    "dispose of old weights": {"task": "governance.dispose", "schedule": 3600.0},
}
app.autodiscover_tasks(["governance"])
