"""Addresses of the duties for the table of `test_policy_urls`: name -> permissions, args, post, decide."""

from __future__ import annotations

from governance.policies import Permission

P = Permission
DUTIES: dict[str, dict[str, object]] = {
    "duties": {"to": (P.SEE_DUTIES,)},
    "containment_lift": {"to": (P.LIFT_QUARANTINE,), "post": True, "decide": True},
    "filter_list_make": {"to": (P.EXPORT_LISTS,), "post": True},
    "filter_list": {"to": (P.EXPORT_LISTS,), "args": "filter_list"},
    "dataset_records": {"to": (P.EXPORT_LISTS,), "args": "dataset", "post": True},
}
