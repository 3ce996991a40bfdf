"""Makes the reference pages from the code, so that they can't say anything else than the code does.

python docs/generate.py            writes docs/reference/*.md
python docs/generate.py --check    exits 1 where a page differs (tests/architecture/test_docs.py does the same)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCE = Path(__file__).parent / "reference"
NOTE = "<!-- Made from the code by docs/generate.py. Don't edit. -->\n"
_WIDTH = 100


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def render_codes() -> str:
    """Every code with what it means and what helps."""
    from gatekeeper.codes import CODES

    parts = [
        "# Codes\n",
        NOTE,
        "Every refusal and every error has one stable code. `gatekeeper explain CODE` says the same as this page.\n",
        _table(
            ("code", "title", "kind", "exit of `run`", "exit of the others"),
            [
                (
                    f"[{row.code}](#{row.code.lower()})",
                    row.title,
                    row.kind,
                    str(row.run_exit),
                    str(row.check_exit),
                )
                for row in CODES.values()
            ],
        ),
    ]
    for row in CODES.values():
        parts.append(f"## {row.code}\n\n**{row.title}.** {row.meaning}\n\nWhat helps: `{row.remedy}`\n")
    return "\n".join(parts)


def render_exits() -> str:
    """The exit statuses, from the rows of the code table."""
    from gatekeeper.codes import CODES, EXIT_PRECEDENCE

    kinds: dict[tuple[str, int, int], list[str]] = {}
    for row in CODES.values():
        kinds.setdefault((row.kind, row.check_exit, row.run_exit), []).append(row.code)
    rows = [("allowed", "0", "the tool's own", "")]
    rows += [
        (kind, str(check), str(run), ", ".join(codes))
        for (kind, check, run), codes in sorted(kinds.items(), key=lambda entry: entry[0][1])
    ]
    return "\n".join(
        [
            "# Exit statuses\n",
            NOTE,
            _table(("outcome", "`check` and the others", "`run` and shims", "codes"), rows),
            f"Several tools at once: the first present of {', '.join(map(str, EXIT_PRECEDENCE))}.\n",
            "A tool that is launched may itself end with any status, 125 to 127 included, and a tool that dies of signal N is "
            "seen as such by whoever started it (a shell says 128 + N). `run --result-file F` writes gatekeeper's own verdict "
            "before the tool starts, so that the two can be told apart.\n",
        ]
    )


def render_configuration() -> str:
    """The configuration keys, from the one table."""
    from gatekeeper.config.keys import KEYS

    rows = [
        (
            f"`{key.name}`",
            key.kind if not key.choices else f"{key.kind}: {', '.join(key.choices)}",
            _shown(key.default),
            ", ".join(key.layers),
            f"`{key.variable}`" if key.variable else "",
            key.words,
        )
        for key in KEYS
    ]
    return "\n".join(
        [
            "# Configuration keys\n",
            NOTE,
            "Layers, highest first: managed (`/etc/gatekeeper/managed.json`, `managed.d/*.json`), flag, environment, user "
            "(`config.toml` in the platform's configuration directory), system (`/etc/gatekeeper/config.toml`). What a higher layer says counts; "
            "what the managed layer says is locked. `gatekeeper config list --show-origin` shows where each value comes from.\n",
            _table(("key", "type", "default", "layers", "variable", "meaning"), rows),
            "`profiles.NAME.KEY` sets a key for one profile: "
            + ", ".join(f"`{key.name}`" for key in KEYS if key.in_profile)
            + ".\n",
        ]
    )


def _shown(default: object) -> str:
    if default in ("", (), None):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def render_environment() -> str:
    """The environment variables, from the same table."""
    from gatekeeper.config.keys import KEYS, OTHER_VARIABLES

    rows = [(f"`{key.variable}`", f"`{key.name}`", key.words) for key in KEYS if key.variable]
    rows += [(f"`{name}`", "", words) for name, words in OTHER_VARIABLES]
    return "\n".join(
        [
            "# Environment variables\n",
            NOTE,
            "An empty variable counts as absent. `trust_roots` and what belongs to it can't be set here: whoever "
            "controls the environment would control whom to trust.\n",
            _table(("variable", "key", "meaning"), sorted(rows)),
            "`NO_COLOR`, `FORCE_COLOR` and `TERM=dumb` are honoured; a variable `CI` means that nobody is there to ask.\n",
        ]
    )


def render_cli() -> str:
    """The help of every command, as the command itself prints it."""
    from gatekeeper.cli.app import GROUPS, build_command

    parts = ["# Commands\n", NOTE]
    for title, group in GROUPS:
        parts.append(f"## {title}\n")
        for name, entry in group.items():
            for path, text in _helps(build_command(name, entry), f"gatekeeper {name}"):
                parts.append(f"### `{path}`\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _helps(command: Any, path: str) -> list[tuple[str, str]]:
    context = command.make_context(
        path, [], resilient_parsing=True, terminal_width=_WIDTH, max_content_width=_WIDTH
    )
    text = "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())
    found = [(path, text)]
    for name, sub in getattr(command, "commands", {}).items():
        if not sub.hidden:
            found += _helps(sub, f"{path} {name}")
    return found


def render_api() -> str:
    """The service's operations, from its OpenAPI document."""
    from gatekeeper.service.web.openapi import render_openapi
    from gatekeeper.service.web.routes import OPERATIONS

    described: Any = render_openapi(OPERATIONS, issuer="https://gatekeeper.acme.example")
    rows = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            answers = ", ".join(sorted(operation["responses"]))
            words = operation.get("summary") or operation.get("description", "")
            rows.append((f"`{method.upper()} {path}`", words, answers))
    return "\n".join(
        [
            "# Service API\n",
            NOTE,
            "The service describes itself at `/openapi.json`; this page lists the same operations. Errors are RFC 6749 "
            "JSON under `/oauth` and RFC 9457 problem documents elsewhere, both with a [code](codes.md).\n",
            _table(("operation", "what it does", "answers"), rows),
        ]
    )


PAGES = {
    "codes.md": render_codes,
    "exits.md": render_exits,
    "configuration.md": render_configuration,
    "environment.md": render_environment,
    "cli.md": render_cli,
    "api.md": render_api,
}


def stale_pages() -> list[str]:
    """Write nothing; name the pages that are not what the code says."""
    return [
        name
        for name, render in PAGES.items()
        if not (REFERENCE / name).is_file() or (REFERENCE / name).read_text("utf-8") != render()
    ]


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` compare them."""
    os.environ["COLUMNS"] = str(_WIDTH)
    if arguments == ["--check"]:
        stale = stale_pages()
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is not what the code says: make docs\n")
        return 1 if stale else 0
    REFERENCE.mkdir(exist_ok=True)
    for name, render in PAGES.items():
        (REFERENCE / name).write_text(render(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
