"""Fixtures for all tests. Servers are in tests/services, the home of the run in tests/environment.py."""

from __future__ import annotations
