"""The whole schema: whoever imports `metadata` from here has every table in it, not only those of one feature."""

from __future__ import annotations

from gatekeeper.service.store.tables import (
    access,
    audit,
    console,
    issue,
    jobs,
    notify,
    oauth,
    people,
    policy,
    scim,
    sign_ins,
    workloads,
)
from gatekeeper.service.store.tables.base import metadata

__all__ = [
    "access",
    "audit",
    "console",
    "issue",
    "jobs",
    "metadata",
    "notify",
    "oauth",
    "people",
    "policy",
    "scim",
    "sign_ins",
    "workloads",
]
