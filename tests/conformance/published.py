"""Where the published vectors are: `GATEKEEPER_VECTORS`, `tests/conformance/vectors`, or beside the checkout.

They belong to others (each folder has its licence) and are not part of the project, so where none
of the three places has a file, the test says which one is missing and is skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).resolve().parent
# Read on import: the tests' own environment carries no GATEKEEPER_ variable.
_NAMED = os.environ.get("GATEKEEPER_VECTORS")
_PLACES = (
    *([Path(_NAMED)] if _NAMED else []),
    _HERE / "vectors",
    _HERE.parents[2] / "shared" / "reference" / "vectors",
)


def load_published(name: str) -> Any:
    """Return the parsed file `name`, such as `wycheproof/ed25519_test.json`, or skip the test that asks."""
    for place in _PLACES:
        if (place / name).is_file():
            return json.loads((place / name).read_text(encoding="utf-8"))
    pytest.skip(f"published vectors are absent: {name}; set GATEKEEPER_VECTORS to the folder that has it")


def names_of(folder: str) -> list[str]:
    """Return the names of every JSON file below `folder`, or skip the test that asks."""
    for place in _PLACES:
        if (place / folder).is_dir():
            found = sorted((place / folder).rglob("*.json"))
            return [str(path.relative_to(place)) for path in found]
    pytest.skip(f"published vectors are absent: {folder}; set GATEKEEPER_VECTORS to the folder that has it")


def load_wycheproof(name: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return every (group, case) of a Wycheproof file, after checking that none is missing."""
    document = load_published(f"wycheproof/{name}")
    cases = [(group, case) for group in document["testGroups"] for case in group["tests"]]
    assert len(cases) == document["numberOfTests"]
    return cases
