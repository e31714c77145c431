"""Why a message did not go out, and whether trying again can help: the same as for any call to the outside."""

from __future__ import annotations

from governance.outbound import CallFailed as SendFailed
from governance.outbound import without_addresses

__all__ = ["SendFailed", "without_addresses"]
