"""The catalogue that a new service starts with: every well-known assistant, and each needs an approval."""

from __future__ import annotations

from gatekeeper.vendors.catalogue import load_builtin

_HEAD = """\
# The organisation's policy: which AI assistants may be used, by whose leave, for how long.
# gatekeeper itself knows how each assistant is recognised and launched; what stands here overrides that, key by
# key. A tool that isn't named here is always refused.

[organisation]
name = ""                       # shown in messages and the console
help = ""                       # where people ask, as "#ai-approvals"

[defaults]
access = "approval"             # open: no request needed | approval | closed: no requests taken
duration = "30d"                # of a grant, where the request names none
max_duration = "90d"
min_reason = 20                 # characters
fresh = "15m"                   # a launch token younger than this launches without asking the service
lease = "24h"                   # how long one works when the service can't be reached
max_lease = "24h"               # at most 72h

# A zone is a set of repositories that an approval must name:
# [zones.frontier-models]
# remotes = ["github.com/acme/llama-*"]

# Limits of one tool stand with it:
#   max_duration = "14d"
#   alternatives = ["TOOL"]     # what a refusal offers instead
#   identity = [{ npm = "PACKAGE", versions = ">=2.1,<3" }]
"""


def starting_catalogue() -> str:
    """Return the text of `catalogue.toml` for a new service."""
    builtin = load_builtin()
    parts = [_HEAD]
    for name, tool in builtin["tools"].items():
        vendor = builtin["vendors"].get(tool["vendor"], {}).get("name", tool["vendor"])
        parts.append(f'[tools.{name}]  # {tool["name"]}, {vendor}\naccess = "approval"\n')
    return "\n".join(parts)
