"""Words for what was raised about a clock and for the forecast of the GPU queue, on the queue and on the case."""

from __future__ import annotations

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from governance.models import Case, ClockAlarm
from governance.selectors.queue_forecast import QueueForecast

Step = ClockAlarm.Step


def marks(alarm: str, forecast: QueueForecast | None) -> tuple[str, ...]:
    """What stands below a case's date on the queue."""
    told = {
        Step.DAYS_14: _("officer told"),
        Step.DAYS_7: _("officer told"),
        Step.DAYS_3: _("legal told"),
        Step.DAYS_1: _("legal told"),
        Step.MISSED: _("miss recorded"),
        Step.UNCONFIRMED: _("receipt not confirmed"),
        Step.UNTOLD: _("extension not told"),
    }
    found = [told[Step(alarm)]] if alarm else []
    if forecast is not None and not forecast.makes_it and alarm != Step.MISSED:
        found.append(_("GPU queue too long"))
    return tuple(found)


def forecast_words(case: Case, forecast: QueueForecast | None) -> str:
    """The forecast in a sentence; empty where the engine has nothing left to do."""
    if forecast is None:
        return ""
    ahead = ngettext("%(n)d job ahead", "%(n)d jobs ahead", forecast.jobs_ahead) % {"n": forecast.jobs_ahead}
    if forecast.ready_at is None:
        return _("GPU queue: %(ahead)s; nothing has run here yet by which the end could be told.") % {"ahead": ahead}
    ready = timezone.localtime(forecast.ready_at)
    words = {"ahead": ahead, "day": date_format(ready, "j F, H:i"), "due": date_format(case.due_on, "j F")}
    if forecast.makes_it:
        return _("GPU queue: %(ahead)s; the engine would be done by %(day)s, in time for %(due)s.") % words
    return _("GPU queue: %(ahead)s; the engine would be done by %(day)s, which does not make %(due)s.") % words
