"""What import contracts can't see: package files, builtins with effects, who constructs what is verified."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gatekeeper"
MODULES = sorted(SOURCE.rglob("*.py"))
PURE = [
    *sorted((SOURCE / "decision").glob("*.py")),
    *sorted((SOURCE / "documents").glob("*.py")),
    SOURCE / "strict.py",
    SOURCE / "codes.py",
    SOURCE / "values.py",
    SOURCE / "errors.py",
    SOURCE / "trust" / "p256.py",
    SOURCE / "trust" / "p256_plain.py",
    SOURCE / "trust" / "chain.py",
    SOURCE / "service" / "access" / "lifecycle.py",
    SOURCE / "service" / "access" / "reviews.py",
]
EFFECTS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def effects_in(source: str) -> list[str]:
    """Name the builtins with an effect that the source mentions."""
    names = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return sorted({node.id for node in names if node.id in EFFECTS})


def constructions_in(source: str) -> list[str]:
    """Name the `Verified…` classes that the source calls."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name.startswith("Verified") or name == "TrustedRoot":
                found.add(name)
    return sorted(found)


def beyond_docstring(source: str) -> list[str]:
    """Return the statements of a package file that are no docstring."""
    body = ast.parse(source).body
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return [ast.unparse(statement) for statement in body]


def exits_in(source: str) -> list[str]:
    """Return the calls that end the process."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"sys.exit", "os._exit", "exit", "quit"}:
            found.append(ast.unparse(node.func))
        if isinstance(node, ast.Raise) and node.exc and "SystemExit" in ast.unparse(node.exc):
            found.append("SystemExit")
    return found


def _name(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=_name)
def test_a_package_file_is_a_docstring(path: Path) -> None:
    """Importing a package does nothing. The root alone also names the version."""
    source = path.read_text()
    assert ast.get_docstring(ast.parse(source))
    rest = beyond_docstring(source)
    if path == SOURCE / "__init__.py":
        assert len(rest) == 1
        assert re.fullmatch(r"__version__ = '[0-9a-z.]+'", rest[0])
    else:
        assert rest == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    """A docstring, and a name that says something."""
    assert ast.get_docstring(ast.parse(path.read_text()))
    assert path.stem not in VAGUE


@pytest.mark.parametrize("path", PURE, ids=_name)
def test_a_pure_module_uses_no_builtin_with_an_effect(path: Path) -> None:
    """No `open`, `print` or `input` where decisions are made."""
    assert effects_in(path.read_text()) == []


@pytest.mark.parametrize("path", [p for p in MODULES if p.parent.name != "trust"], ids=_name)
def test_only_trust_says_that_something_is_verified(path: Path) -> None:
    """A `Verified…` value is made by the check itself, nowhere else."""
    assert constructions_in(path.read_text()) == []


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "__main__.py"], ids=_name)
def test_only_main_exits(path: Path) -> None:
    """One exit, so that one place decides exit statuses. The two modules that fork end the children that they made."""
    forks = (SOURCE / "workstation" / "processes.py", SOURCE / "service" / "processes.py")
    allowed = ["os._exit"] if path in forks else []
    assert [call for call in exits_in(path.read_text()) if call not in allowed] == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nothing_is_asserted_in_source(path: Path) -> None:
    """`python -O` removes assertions, so none stands between bytes and a launch."""
    assert not [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_shell(path: Path) -> None:
    """No command goes through a shell."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in {"os.system", "os.popen", "subprocess.getoutput"}
            shell = [k for k in node.keywords if k.arg == "shell"]
            assert not [
                k for k in shell if not (isinstance(k.value, ast.Constant) and k.value.value is False)
            ]


class TestTheRulesThemselves:
    """Each rule finds what it is there for."""

    def test_effects(self) -> None:
        """`open` is found; a method of that name isn't meant."""
        assert effects_in("def f():\n    return open('x')") == ["open"]
        assert effects_in("world.open_read(p)\nworld.open(p)") == []

    def test_constructions(self) -> None:
        """A call is found, by whichever route; an annotation isn't meant."""
        assert constructions_in("x = VerifiedPayload(claims={})") == ["VerifiedPayload"]
        assert constructions_in("x = jws.VerifiedApproval(claims={})") == ["VerifiedApproval"]
        assert constructions_in("def f(x: VerifiedPayload) -> None: ...") == []

    def test_package_files(self) -> None:
        """Anything beyond the docstring is found."""
        assert beyond_docstring('"""Doc."""\nfrom x import y') == ["from x import y"]
        assert beyond_docstring('"""Doc."""') == []

    def test_exits(self) -> None:
        """All three ways are found."""
        assert exits_in("import sys\nsys.exit(1)") == ["sys.exit"]
        assert exits_in("raise SystemExit(2)") == ["SystemExit"]
        assert exits_in("import os\nos._exit(3)") == ["os._exit"]
