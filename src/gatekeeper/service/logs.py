"""The log: what failed, and as JSON also one line a call. No secret, no query, no body and no header stands in it.

A call's id is made here, never taken from the caller, stands in each line that the call caused and in the answer
(`x-request-id`), so that whoever reports a failure can be matched with the log.
"""

from __future__ import annotations

import json
import logging
import secrets
import sys
import time
from contextvars import ContextVar

TEXT = "text"
JSON = "json"
FORMATS = (TEXT, JSON)
calls = logging.getLogger("gatekeeper.calls")
_request_id: ContextVar[str] = ContextVar("request_id", default="")
_ID_BYTES = 8


def begin_call() -> str:
    """Give the call of this context an id, and return it."""
    made = secrets.token_hex(_ID_BYTES)
    _request_id.set(made)
    return made


def set_up(log_format: str) -> None:
    """Log to stderr: as text what failed, as JSON also each call."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if log_format == JSON else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    calls.setLevel(logging.INFO if log_format == JSON else logging.WARNING)


class _Text(logging.Formatter):
    """A line for people, with the call's id where there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(call)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        current = _request_id.get()
        record.call = f" [{current}]" if current else ""
        return super().format(record)


class _Json(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, the call's id and facts, a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; whatever stands in a message, it is one line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if _request_id.get():
            line["request_id"] = _request_id.get()
        facts = getattr(record, "facts", None)
        if isinstance(facts, dict):
            line |= facts
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)
