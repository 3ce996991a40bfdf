"""The whole schema: whoever imports `metadata` from here has every table in it, not only those of one feature."""

from __future__ import annotations

from gatekeeper.service.store.tables import access, audit, issue, notify, oauth, people, policy
from gatekeeper.service.store.tables.base import metadata

__all__ = ["access", "audit", "issue", "metadata", "notify", "oauth", "people", "policy"]
