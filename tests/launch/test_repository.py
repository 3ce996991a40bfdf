"""Repositories and their remotes, on real ones, with `git remote -v` as the other opinion."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes.world import FakeWorld, Link

from gatekeeper.decision.locations import canonical_remote
from gatekeeper.decision.obstacles import NoRepository, Repository, UnreadableRepository
from gatekeeper.errors import Malformed
from gatekeeper.launch.repository import locate
from gatekeeper.launch.ssh_hosts import real_host
from gatekeeper.workstation.posix import PosixWorld

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gatekeeper.decision.obstacles import Location
    from gatekeeper.workstation.world import Stat

LLAMA = "https://github.com/acme/llama-1.git"


class World(PosixWorld):
    """The real file system, but for /etc, which a test brings along."""

    def __init__(self, etc: Path) -> None:
        self.etc = etc

    def open_read(self, path: str, *, max_bytes: int) -> tuple[bytes, Stat]:
        """Read below another /etc."""
        return super().open_read(self._moved(path), max_bytes=max_bytes)

    def listdir(self, path: str) -> list[str]:
        """List below another /etc."""
        return super().listdir(self._moved(path))

    def _moved(self, path: str) -> str:
        return f"{self.etc}{path[4:]}" if path.startswith("/etc/") else path


class Place:
    """A directory to make repositories in, with a home and an /etc of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.etc = root / "etc"
        for directory in (self.home / ".ssh", self.home / ".config" / "git", self.etc / "ssh"):
            directory.mkdir(parents=True)

    def git(
        self, directory: Path | str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run git as this place's person would."""
        always = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "GIT_CONFIG_SYSTEM": str(self.etc / "gitconfig"),
            "GIT_ALLOW_PROTOCOL": "file",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@acme.example",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@acme.example",
        }
        return subprocess.run(
            ["git", "-C", str(directory), *arguments],
            env={**always, **(environment or {})},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def repository(self, name: str = "repository", *, remote: str = LLAMA) -> Path:
        """Make a repository with one remote ("" for none) and one commit."""
        made = self.root / name
        made.mkdir(parents=True)
        self.git(made, "init", "-q")
        self.git(made, "commit", "-q", "--allow-empty", "-m", "first")
        if remote:
            self.git(made, "remote", "add", "origin", remote)
        return made

    def locate(self, directory: Path | str, **environment: str) -> Location:
        """Ask what is tested."""
        return locate(World(self.etc), str(directory), home=str(self.home), environment=environment)

    def by_git(self, directory: Path | str, **environment: str) -> Location:
        """Ask git."""
        lines = self.git(directory, "remote", "-v", environment=environment).splitlines()
        names = {canonical_remote(line.split("\t")[1].rpartition(" (")[0]) for line in lines}
        known = sorted(name for name in names if name is not None)
        return (
            Repository(remotes=tuple(known)) if len(known) == len(names) else UnreadableRepository(reason="")
        )

    def agree(self, directory: Path | str, *remotes: str) -> None:
        """Check that git and we find exactly these remotes."""
        expected = Repository(remotes=tuple(sorted(remotes)))
        assert self.by_git(directory) == expected
        assert self.locate(directory) == expected


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Make a place."""
    return Place(tmp_path)


def _unreadable(location: Location) -> bool:
    return isinstance(location, UnreadableRepository)


# Where


def test_no_repository(place: Place) -> None:
    """A directory outside of any repository is none, and one beside what is half a repository is unreadable."""
    outside = place.root / "outside"
    (outside / ".git" / "objects").mkdir(parents=True)
    (outside / "deeper").mkdir()
    assert place.locate(outside / "deeper") == NoRepository()
    (outside / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert _unreadable(place.locate(outside / "deeper"))
    (outside / ".git" / "refs").mkdir()
    assert place.locate(outside / "deeper") == Repository(remotes=())


@pytest.mark.parametrize(
    ("head", "is_one"),
    [
        ("ref: refs/heads/main\n", True),
        ("ref:refs/heads/main", True),
        ("a" * 40 + "\n", True),
        ("a" * 64 + "\n", True),
        ("", False),
        ("ref: heads/main\n", False),
        ("nonsense\n", False),
        ("g" * 40, False),
    ],
)
def test_a_head_makes_a_git_directory(place: Place, head: str, *, is_one: bool) -> None:
    """A .git with a HEAD that could be one counts as in git; with one that couldn't, it is unreadable."""
    outer = place.repository("outer")
    inner = outer / "inner"
    for name in ("objects", "refs"):
        (inner / ".git" / name).mkdir(parents=True)
    (inner / ".git" / "HEAD").write_text(head)
    if is_one:
        place.agree(inner)
    else:
        assert place.by_git(inner) == Repository(remotes=("github.com/acme/llama-1",))
        assert _unreadable(place.locate(inner))


def test_a_repository_that_only_git_takes_for_one_is_unreadable(place: Place) -> None:
    """git asks only whether `objects` and `refs` may be executed, and for objects perhaps elsewhere."""
    moved = place.repository("moved")
    kept = place.root / "kept"
    (moved / ".git" / "objects").rename(kept)
    theirs = place.by_git(moved, GIT_OBJECT_DIRECTORY=str(kept))
    assert theirs == Repository(remotes=("github.com/acme/llama-1",))
    assert _unreadable(place.locate(moved, GIT_OBJECT_DIRECTORY=str(kept)))
    assert _unreadable(place.locate(moved))
    bare = place.root / "bare.git"
    (moved / ".git").rename(bare)
    assert place.by_git(bare, GIT_OBJECT_DIRECTORY=str(kept)) == theirs
    assert _unreadable(place.locate(bare, GIT_OBJECT_DIRECTORY=str(kept)))


@pytest.mark.parametrize("inside", ["", ".git"])
def test_executable_files_for_directories_are_unreadable(place: Place, inside: str) -> None:
    """With files in place of `objects` and `refs`, git finds the remotes still; so nothing is passed over."""
    made = place.repository()
    for name in ("objects", "refs"):
        (made / ".git" / name).rename(place.root / f"old-{name}")
        (made / ".git" / name).write_text("")
        (made / ".git" / name).chmod(0o755)
    assert place.by_git(made / inside) == Repository(remotes=("github.com/acme/llama-1",))
    assert _unreadable(place.locate(made / inside))


def test_a_directory_that_git_may_not_enter_makes_no_repository(tmp_path: Path) -> None:
    """Where nobody may search `refs`, git goes on to the repository around: neither is guessed."""
    world = FakeWorld({**_FAKE, "/r/in/.git/HEAD": b"ref: refs/heads/main\n", "/r/in/.git/refs/x": b""})
    world.files["/r/in/.git/objects/x"] = b""
    assert locate(world, "/r/in", home="/home/ada", environment={}) == Repository(remotes=())
    world.modes["/r/in/.git/refs"] = 0o600
    assert _unreadable(locate(world, "/r/in", home="/home/ada", environment={}))


@pytest.mark.parametrize("name", ["HEAD", "config"])
def test_half_a_repository_hides_nothing(place: Place, name: str) -> None:
    """A .git that holds a HEAD (a dangling link as well) or a config is unreadable; an empty one is passed over."""
    inner = place.repository() / "inner"
    (inner / ".git").mkdir(parents=True)
    place.agree(inner, "github.com/acme/llama-1")
    (inner / ".git" / name).symlink_to("refs/heads/main")
    assert _unreadable(place.locate(inner))


def test_a_head_may_be_a_link(place: Place) -> None:
    """Old repositories have a symbolic link for HEAD."""
    made = place.repository()
    (made / ".git" / "HEAD").unlink()
    (made / ".git" / "HEAD").symlink_to("refs/heads/elsewhere")
    place.agree(made, "github.com/acme/llama-1")


def test_a_folder_called_head_is_no_repository(place: Place) -> None:
    """A directory that holds a folder HEAD, as a project may, is passed over as git does."""
    (place.root / "project" / "HEAD").mkdir(parents=True)
    assert place.locate(place.root / "project") == NoRepository()


def test_a_repository_is_found_from_below_and_from_inside(place: Place) -> None:
    """Any directory of a working tree, the git directory itself, and a link to one are in the repository."""
    made = place.repository()
    (made / "a" / "b").mkdir(parents=True)
    (place.root / "link").symlink_to(made / "a")
    for directory in (made, made / "a" / "b", made / ".git", made / ".git" / "refs", place.root / "link"):
        place.agree(directory, "github.com/acme/llama-1")


def test_a_linked_git_directory(place: Place) -> None:
    """`.git` may be a symbolic link."""
    made = place.repository()
    (made / ".git").rename(place.root / "kept")
    (made / ".git").symlink_to(place.root / "kept")
    place.agree(made, "github.com/acme/llama-1")


def test_a_separate_git_directory(place: Place) -> None:
    """`git init --separate-git-dir` leaves a file."""
    made = place.root / "made"
    place.git(place.root, "init", "-q", "--separate-git-dir", str(place.root / "kept"), str(made))
    place.git(made, "remote", "add", "origin", LLAMA)
    place.agree(made, "github.com/acme/llama-1")


def test_bare_layouts(place: Place) -> None:
    """A bare repository, and the layout of a bare one beside its worktrees, are repositories."""
    bare = place.root / "bare.git"
    place.git(place.root, "init", "-q", "--bare", str(bare))
    place.git(bare, "remote", "add", "origin", LLAMA)
    place.agree(bare, "github.com/acme/llama-1")
    place.agree(bare / "refs", "github.com/acme/llama-1")
    hub = place.root / "hub"
    place.git(place.root, "clone", "-q", "--bare", str(place.repository("source")), str(hub / ".bare"))
    (hub / ".git").write_text("gitdir: ./.bare\n")
    place.git(hub, "remote", "set-url", "origin", "https://github.com/acme/hub")
    place.git(hub, "worktree", "add", "-q", "tree")
    place.agree(hub, "github.com/acme/hub")
    place.agree(hub / "tree", "github.com/acme/hub")


@pytest.mark.parametrize(
    "content", ["", "gitdir: ", "gitdir: nowhere\n", "nonsense", "gitdir: \0", "gitdir: .\n"]
)
def test_a_git_file_that_leads_nowhere_is_unreadable(place: Place, content: str) -> None:
    """A broken .git file isn't passed over: git stops there, and so do we."""
    made = place.root / "made"
    made.mkdir()
    (made / ".git").write_text(content)
    assert _unreadable(place.locate(made))


def test_a_huge_git_file_is_unreadable(place: Place) -> None:
    """A pointer is short."""
    made = place.root / "made"
    made.mkdir()
    (made / ".git").write_text("gitdir: " + "x" * 100_000)
    assert _unreadable(place.locate(made))


def test_a_directory_that_is_gone_is_unreadable(place: Place) -> None:
    """A working directory that isn't there can't be judged."""
    assert _unreadable(place.locate(place.root / "gone"))


# Worktrees and submodules


def test_linked_worktrees_share_the_remotes(place: Place) -> None:
    """A linked worktree has its main repository's remotes."""
    made = place.repository()
    place.git(made, "worktree", "add", "-q", str(place.root / "tree"))
    place.agree(place.root / "tree", "github.com/acme/llama-1")


def test_every_worktrees_own_settings_count(place: Place) -> None:
    """With settings of their own, a remote that one worktree alone has counts in all."""
    made = place.repository()
    tree = place.root / "tree"
    place.git(made, "worktree", "add", "-q", str(tree))
    place.git(made, "config", "extensions.worktreeConfig", "true")
    place.git(tree, "config", "--worktree", "remote.hidden.url", "https://github.com/acme/hidden")
    assert place.by_git(made) == Repository(remotes=("github.com/acme/llama-1",))
    assert place.by_git(tree) == Repository(remotes=("github.com/acme/hidden", "github.com/acme/llama-1"))
    for directory in (made, tree):
        assert place.locate(directory) == place.by_git(tree)


@pytest.mark.parametrize("value", ["", " = yes", " = 1"])
def test_own_settings_are_on_under_every_spelling(place: Place, value: str) -> None:
    """Any value of `extensions.worktreeConfig` that git takes for true is true."""
    made = place.repository(remote="")
    with (made / ".git" / "config").open("a") as file:
        file.write(f"[extensions]\nworktreeConfig{value}\n")
    (made / ".git" / "config.worktree").write_text(f'[remote "origin"]\nurl = {LLAMA}\n')
    place.agree(made, "github.com/acme/llama-1")


def test_settings_of_worktrees_that_are_off_do_not_count(place: Place) -> None:
    """Without the extension git ignores the file, and so do we."""
    made = place.repository()
    (made / ".git" / "config.worktree").write_text('[remote "x"]\nurl = /srv/x\n')
    place.agree(made, "github.com/acme/llama-1")
    place.git(made, "config", "extensions.worktreeConfig", "false")
    place.agree(made, "github.com/acme/llama-1")


def test_too_many_worktrees_are_unreadable(place: Place) -> None:
    """A repository can't make a launch read without end."""
    made = place.repository()
    place.git(made, "config", "extensions.worktreeConfig", "true")
    for number in range(300):
        (made / ".git" / "worktrees" / str(number)).mkdir(parents=True)
    assert _unreadable(place.locate(made))


def _with_submodule(place: Place) -> tuple[Path, Path]:
    library = place.repository("library", remote="")
    superproject = place.repository("superproject", remote="https://github.com/acme/super")
    place.git(superproject, "submodule", "--quiet", "add", str(library), "vendor/library")
    submodule = superproject / "vendor" / "library"
    place.git(submodule, "remote", "set-url", "origin", "https://github.com/other/library")
    return superproject, submodule


def test_a_submodule_counts_with_its_superproject(place: Place) -> None:
    """In a submodule both names count; in the superproject its own alone."""
    superproject, submodule = _with_submodule(place)
    assert place.by_git(submodule) == Repository(remotes=("github.com/other/library",))
    both = Repository(remotes=("github.com/acme/super", "github.com/other/library"))
    assert place.locate(submodule) == both
    assert place.locate(superproject / ".git" / "modules" / "vendor" / "library") == both
    place.agree(superproject, "github.com/acme/super")


def test_a_submodule_of_a_submodule(place: Place) -> None:
    """Every superproject counts, and through a worktree of the superproject as well."""
    superproject, submodule = _with_submodule(place)
    inner = place.repository("inner", remote="")
    place.git(submodule, "submodule", "--quiet", "add", str(inner), "inner")
    place.git(submodule / "inner", "remote", "set-url", "origin", "https://github.com/other/inner")
    every = ("github.com/acme/super", "github.com/other/inner", "github.com/other/library")
    assert place.locate(submodule / "inner") == Repository(remotes=every)
    place.git(superproject, "commit", "-q", "-m", "with a submodule")
    tree = place.root / "tree"
    place.git(superproject, "worktree", "add", "-q", str(tree))
    place.git(tree, "submodule", "--quiet", "update", "--init")
    place.git(tree / "vendor" / "library", "remote", "set-url", "origin", "https://github.com/other/library")
    assert place.locate(tree / "vendor" / "library") == Repository(
        remotes=("github.com/acme/super", "github.com/other/library")
    )


def test_a_submodule_that_keeps_its_git_directory(place: Place) -> None:
    """A submodule of the older form is known by .gitmodules, and a repository that it doesn't name isn't one."""
    superproject = place.repository("superproject", remote="https://github.com/acme/super")
    place.repository("superproject/old", remote="https://github.com/other/old")
    place.agree(superproject / "old", "github.com/other/old")
    (superproject / ".gitmodules").write_text(
        '[submodule "x"]\npath = elsewhere\n[submodule "y"]\npath = old/\n'
    )
    assert place.locate(superproject / "old") == Repository(
        remotes=("github.com/acme/super", "github.com/other/old")
    )
    (superproject / ".gitmodules").write_text("[")
    assert _unreadable(place.locate(superproject / "old"))


def test_a_repository_in_a_folder_called_modules_is_no_submodule(place: Place) -> None:
    """The name of a folder alone makes no superproject."""
    made = place.repository("modules/x")
    place.agree(made, "github.com/acme/llama-1")


def test_repositories_without_end_are_unreadable(tmp_path: Path) -> None:
    """A chain of superprojects is followed to a bound."""
    files: dict[str, bytes | Link] = {}
    directory = "/r/.git"
    for _ in range(40):
        files[f"{directory}/HEAD"] = b"ref: refs/heads/main\n"
        files[f"{directory}/objects/x"] = files[f"{directory}/refs/x"] = b""
        directory += "/modules/x"
    world = FakeWorld(files)
    assert _unreadable(locate(world, directory.removesuffix("/modules/x"), home="/home/ada", environment={}))


# Remotes


@pytest.mark.parametrize(
    "url",
    ["/srv/git/x", "../x", "file:///srv/x", "ext::sh -c x", "https://github.com/acme/../acme/x", "helper::x"],
)
def test_one_uncanonical_remote_makes_a_repository_unreadable(place: Place, url: str) -> None:
    """A remote that can't be judged isn't passed over for the sake of the others."""
    made = place.repository()
    place.git(made, "config", "remote.other.url", url)
    assert _unreadable(place.by_git(made))
    assert _unreadable(place.locate(made))


def test_every_address_of_a_remote_counts(place: Place) -> None:
    """Several addresses, and addresses for pushing, all count."""
    made = place.repository()
    place.git(made, "remote", "set-url", "--add", "origin", "https://github.com/acme/two")
    place.git(made, "remote", "set-url", "--push", "origin", "git@github.com:acme/three")
    place.git(made, "remote", "add", "other", "ssh://git@github.com/acme/four")
    names = (
        "github.com/acme/four",
        "github.com/acme/llama-1",
        "github.com/acme/three",
        "github.com/acme/two",
    )
    assert place.locate(made) == Repository(remotes=names)


def test_no_remotes_are_no_remotes(place: Place) -> None:
    """A repository without remotes, or with settings of one that has no address, has none."""
    made = place.repository(remote="")
    assert place.locate(made) == Repository(remotes=())
    (place.home / ".gitconfig").write_text(
        '[remote "origin"]\nprune = true\n[remote]\npushDefault = origin\n'
    )
    assert place.locate(made) == Repository(remotes=())


@pytest.mark.parametrize(
    "config",
    [
        '[remote "origin"]\nurl\n',
        '[remote "origin"]\npushurl\n',
        '[url "x"]\ninsteadOf\n',
        '[remote "origin"]\nvcs = svn\n',
        '[remote "origin"]\nurl = https://github.com/ada/x\0\n',
        '[remote "origin"\n',
        "[include]\npath\n",
        "[include]\npath = ~nobody/x\n",
        "[include]\npath = %(prefix)/x\n",
    ],
)
def test_settings_that_git_would_stop_at_are_unreadable(place: Place, config: str) -> None:
    """Settings that can't be read, or mean what isn't followed here, make the repository unreadable."""
    made = place.repository()
    with (made / ".git" / "config").open("a") as file:
        file.write(config)
    assert _unreadable(place.locate(made))


def test_a_remote_named_by_its_address_counts(place: Place) -> None:
    """git takes a remote without an address by its name."""
    made = place.repository(remote="")
    place.git(made, "config", f"remote.{LLAMA}.fetch", "+refs/heads/*:refs/x/*")
    assert place.locate(made) == Repository(remotes=("github.com/acme/llama-1",))


@pytest.mark.parametrize("folder", ["remotes", "branches"])
def test_remotes_of_the_old_form_are_unreadable(place: Place, folder: str) -> None:
    """Remotes in files of their own, which git still reads, can't hide."""
    made = place.repository()
    (made / ".git" / folder).mkdir(exist_ok=True)
    place.agree(made, "github.com/acme/llama-1")
    (made / ".git" / folder / "old").write_text(LLAMA)
    assert _unreadable(place.locate(made))


def test_a_configuration_that_is_not_there_or_not_readable(place: Place) -> None:
    """Without a file there are no remotes; with one that can't be read nothing is known."""
    made = place.repository()
    config = made / ".git" / "config"
    config.unlink()
    assert place.locate(made) == Repository(remotes=())
    config.mkdir()
    assert _unreadable(place.locate(made))
    config.rmdir()
    config.symlink_to("config")
    assert _unreadable(place.locate(made))
    config.unlink()
    config.write_bytes(b"#" * (5 * 1024 * 1024))
    assert _unreadable(place.locate(made))


def test_files_without_permission_are_unreadable() -> None:
    """A configuration that this person may not read makes the repository unreadable."""

    class Locked(FakeWorld):
        def open_read(self, path: str, *, max_bytes: int) -> tuple[bytes, Stat]:
            if path.endswith("config"):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            return super().open_read(path, max_bytes=max_bytes)

    world = Locked(_FAKE)
    assert _unreadable(locate(world, "/r", home="/home/ada", environment={}))


# insteadOf


def test_instead_of_gives_remotes_their_real_names(place: Place) -> None:
    """The short and the false name of a remote is what git makes of it, in each layer of settings."""
    made = place.repository(remote="gh:acme/llama-1")
    place.git(made, "remote", "add", "mirror", "https://mirror.acme.example/x")
    place.git(made, "config", "url.https://github.com/.insteadOf", "gh:")
    (place.home / ".gitconfig").write_text(
        '[url "git@git.acme.example:research/"]\n\tinsteadOf = https://mirror.acme.example/\n'
    )
    place.agree(made, "git.acme.example/research/x", "github.com/acme/llama-1")


def test_push_instead_of_adds_a_name(place: Place) -> None:
    """`pushInsteadOf` applies where a remote has no address for pushing of its own."""
    made = place.repository()
    place.git(made, "remote", "add", "two", "https://github.com/acme/two")
    place.git(made, "remote", "set-url", "--push", "two", "https://github.com/acme/push")
    place.git(made, "config", "url.git@git.acme.example:.pushInsteadOf", "https://github.com/")
    place.agree(
        made,
        "git.acme.example/acme/llama-1.git".removesuffix(".git"),
        "github.com/acme/llama-1",
        "github.com/acme/push",
        "github.com/acme/two",
    )


@pytest.mark.parametrize("file", [".gitconfig", ".config/git/config"])
def test_every_layer_of_settings_counts(place: Place, file: str) -> None:
    """The person's files, the system's and the repository's all name remotes."""
    made = place.repository()
    (place.home / file).write_text('[remote "home"]\nurl = https://github.com/acme/home\n')
    (place.etc / "gitconfig").write_text('[remote "etc"]\nurl = https://github.com/acme/etc\n')
    assert place.locate(made) == Repository(
        remotes=("github.com/acme/etc", "github.com/acme/home", "github.com/acme/llama-1")
    )


def test_xdg_config_home_is_followed(place: Place) -> None:
    """The person's second file stands where XDG_CONFIG_HOME says."""
    made = place.repository(remote="gh:acme/x")
    (place.root / "xdg" / "git").mkdir(parents=True)
    (place.root / "xdg" / "git" / "config").write_text('[url "https://github.com/"]\ninsteadOf = gh:\n')
    environment = {"XDG_CONFIG_HOME": str(place.root / "xdg")}
    assert place.locate(made, **environment) == place.by_git(made, **environment)
    assert place.locate(made, **environment) == Repository(remotes=("github.com/acme/x",))


def test_no_home_reads_no_files_of_a_home(place: Place) -> None:
    """Without a home the repository's and the system's settings count, and `~` can't be followed."""
    made = place.repository()
    found = locate(World(place.etc), str(made), home="", environment={})
    assert found == Repository(remotes=("github.com/acme/llama-1",))
    place.git(made, "config", "include.path", "~/x")
    assert _unreadable(locate(World(place.etc), str(made), home="", environment={}))


_urls = st.sampled_from(
    ["https://a.example/x/y", "https://a.example/xx/z", "git@b.example:x/y", "ssh://c.example/q/r", "gh:x/y"]
)
_beginnings = st.sampled_from(
    [
        "https://",
        "https://a.example/",
        "https://a.example/x",
        "git@b.example:",
        "gh:",
        "ssh://c.example/q/",
        "",
    ]
)
_bases = st.sampled_from(
    ["https://d.example/", "git@e.example:f/", "https://a.example/x", "ssh://g.example/h/"]
)
_rules = st.lists(st.tuples(_bases, st.sampled_from(["insteadOf", "pushInsteadOf"]), _beginnings), max_size=6)
_remote = st.tuples(_urls, st.none() | _urls)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(remotes=st.lists(_remote, max_size=3), rules=_rules)
def test_any_rewriting_agrees_with_git(
    place: Place, remotes: list[tuple[str, str | None]], rules: list[tuple[str, str, str]]
) -> None:
    """For any remotes and rules, the names are those of `git remote -v`."""
    made = place.root / "any"
    if not made.exists():
        place.repository("any", remote="")
    text = "[core]\nrepositoryformatversion = 0\n"
    for number, (url, push) in enumerate(remotes):
        text += f'[remote "r{number}"]\nurl = {url}\n' + (f"pushurl = {push}\n" if push else "")
    for base, key, beginning in rules:
        text += f'[url "{base}"]\n{key} = {beginning}\n'
    (made / ".git" / "config").write_text(text)
    expected, found = place.by_git(made), place.locate(made)
    if isinstance(expected, UnreadableRepository):
        assert _unreadable(found)
    else:
        assert found == expected


# Includes


def test_includes_are_followed(place: Place) -> None:
    """Relative, absolute and home paths are followed, through one another; a missing file is none."""
    made = place.repository(remote="gh:acme/x")
    (place.home / "two").write_text('[url "https://github.com/"]\ninsteadOf = gh:\n')
    (made / ".git" / "one").write_text("[include]\npath = ~/two\npath = /nonexistent\n")
    place.git(made, "config", "include.path", "one")
    place.agree(made, "github.com/acme/x")


def test_includes_without_end_are_unreadable(place: Place) -> None:
    """A file that includes itself, once or twice, or names too many others, ends."""
    made = place.repository()
    config = made / ".git" / "config"
    before = config.read_text()
    for text in (
        "[include]\npath = config\n",
        "[include]\npath = config\npath = config\npath = config\n",
        "[include]\n" + "".join(f"path = nowhere-{n}\n" for n in range(100)),
        "[include]\n" + "path = nowhere\n" * 2000,
    ):
        config.write_text(before + text)
        assert _unreadable(place.locate(made))


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("gitdir:{root}/work/", True),
        ("gitdir:{root}/work/**", True),
        ("gitdir:{root}/work/repository/.git", True),
        ("gitdir:{root}/work", False),
        ("gitdir:{root}/play/", False),
        ("gitdir:{root}/WORK/", False),
        ("gitdir/i:{root}/WORK/", True),
        ("gitdir:work/", True),
        ("gitdir:repository/.git", True),
        ("gitdir:play/", False),
        ("gitdir:**/work/**", True),
        ("gitdir:{root}/*/repository/.git", True),
        ("gitdir:{root}/*/.git", False),
        ("gitdir:~/work/", False),
        ("gitdir:./../work/", False),
        ("gitdir:{root}/w?rk/", None),
        ("gitdir:{root}/[w]ork/", None),
        ("gitdir:{root}/wor**/", None),
        ("onbranch:main", None),
        ("onbranch:nowhere", None),
        ("hasconfig:remote.*.url:https://github.com/**", None),
        ("unknown:x", None),
        ("gitdir:", None),
    ],
)
def test_a_conditional_include_counts_as_in_git_or_both_ways(
    place: Place, condition: str, *, holds: bool | None
) -> None:
    """`gitdir:` is decided as git does; where it isn't decided here, the remotes with and without both count."""
    made = place.repository("work/repository", remote="https://github.com/acme/x")
    condition = condition.format(root=place.root)
    (place.home / ".gitconfig").write_text(f'[includeIf "{condition}"]\npath = included\n')
    (place.home / "included").write_text(
        '[url "https://git.acme.example/"]\ninsteadOf = https://github.com/\n'
    )
    with_it, without = "git.acme.example/acme/x", "github.com/acme/x"
    if holds is None:
        assert place.locate(made) == Repository(remotes=(with_it, without))
    else:
        place.agree(made, with_it if holds else without)


def test_a_condition_relative_to_its_file(place: Place) -> None:
    """`./` in a condition begins at the including file, `~/` at the home, even where that is a link."""
    made = place.repository("home/work/repository", remote="gh:acme/x")
    (place.home / "included").write_text('[url "https://github.com/"]\ninsteadOf = gh:\n')
    for condition in ("gitdir:./work/", "gitdir:~/work/"):
        (place.home / ".gitconfig").write_text(f'[includeIf "{condition}"]\npath = included\n')
        place.agree(made, "github.com/acme/x")
    (place.home / "link").symlink_to(place.home)
    found = locate(World(place.etc), str(made), home=str(place.home / "link"), environment={})
    assert found == Repository(remotes=("github.com/acme/x",))
    gone = locate(World(place.etc), str(made), home=str(place.home / "gone"), environment={})
    assert gone == Repository(remotes=("gh/acme/x",))
    place.git(made, "config", "includeIf.gitdir:~/work/.path", str(place.home / "included"))
    both = locate(World(place.etc), str(made), home=str(place.home / "gone"), environment={})
    assert both == Repository(remotes=("gh/acme/x", "github.com/acme/x"))


# The environment


def test_no_variable_hides_a_repository(place: Place) -> None:
    """Variables that point git elsewhere add what they point at; the repository around stays counted."""
    made = place.repository()
    other = place.repository("other", remote="https://github.com/ada/other")
    both = Repository(remotes=("github.com/acme/llama-1", "github.com/ada/other"))
    for environment in (
        {"GIT_DIR": str(other / ".git")},
        {"GIT_DIR": "../other/.git"},
        {"GIT_COMMON_DIR": str(other / ".git")},
        {"GIT_WORK_TREE": str(other)},
        {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)},
    ):
        assert place.locate(made, **environment) == both
    own = Repository(remotes=("github.com/acme/llama-1",))
    for environment in (
        {"GIT_CEILING_DIRECTORIES": str(made)},
        {"GIT_DIR": str(made / ".git")},
        {"GIT_DIR": ""},
    ):
        assert place.locate(made / ".git", **environment) == own


def test_a_variable_that_names_no_repository_is_unreadable(place: Place) -> None:
    """What git would stop at isn't passed over; a .git file is followed."""
    made = place.repository()
    place.git(made, "worktree", "add", "-q", str(place.root / "tree"))
    for environment in ({"GIT_DIR": str(place.root)}, {"GIT_DIR": "nowhere"}, {"GIT_WORK_TREE": "nowhere"}):
        assert _unreadable(place.locate(made, **environment))
    outside = place.locate(place.root, GIT_DIR=str(place.root / "tree" / ".git"))
    assert outside == Repository(remotes=("github.com/acme/llama-1",))


def test_settings_in_the_environment_add_and_never_replace(place: Place) -> None:
    """What git would make of the remotes under the environment counts beside what it makes without."""
    made = place.repository()
    other = place.root / "other-config"
    other.write_text('[url "https://elsewhere.example/"]\ninsteadOf = https://github.com/\n')
    rule = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.https://elsewhere.example/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }
    include = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "include.path",
        "GIT_CONFIG_VALUE_0": str(other),
    }
    both = Repository(remotes=("elsewhere.example/acme/llama-1", "github.com/acme/llama-1"))
    for environment in (rule, include, {"GIT_CONFIG_GLOBAL": str(other)}, {"GIT_CONFIG_SYSTEM": str(other)}):
        assert place.by_git(made, **environment) == Repository(remotes=("elsewhere.example/acme/llama-1",))
        assert place.locate(made, **environment) == both


def test_settings_of_a_home_are_not_hidden_by_the_environment(place: Place) -> None:
    """Turning off the person's or the system's settings keeps the names that they give."""
    made = place.repository(remote="gh:acme/x")
    (place.etc / "gitconfig").write_text('[url "https://github.com/"]\ninsteadOf = gh:\n')
    assert place.locate(made, GIT_CONFIG_NOSYSTEM="0") == Repository(remotes=("github.com/acme/x",))
    both = Repository(remotes=("gh/acme/x", "github.com/acme/x"))
    assert place.locate(made, GIT_CONFIG_NOSYSTEM="1") == both
    (place.etc / "gitconfig").rename(place.home / ".gitconfig")
    assert place.locate(made, GIT_CONFIG_GLOBAL="/dev/null/x") == both
    assert place.locate(made, GIT_CONFIG_GLOBAL="") == both


@pytest.mark.parametrize(
    "environment",
    [
        {"GIT_CONFIG_COUNT": "x"},
        {"GIT_CONFIG_COUNT": "99999"},
        {"GIT_CONFIG_COUNT": "9999"},
        {"GIT_CONFIG_COUNT": "1"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a", "GIT_CONFIG_VALUE_0": "x"},
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "include.path", "GIT_CONFIG_VALUE_0": "relative"},
        {"GIT_CONFIG_PARAMETERS": "'url.x.insteadof'='https://github.com/'"},
        {"GIT_CONFIG_PARAMETERS": "'remote.origin.url=x'"},
        {"GIT_CONFIG_GLOBAL": "/dev/null"},
    ],
)
def test_settings_in_the_environment_that_cannot_be_judged(place: Place, environment: dict[str, str]) -> None:
    """What git would refuse, or what isn't followed here, makes the repository unreadable."""
    assert _unreadable(place.locate(place.repository(), **environment))


def test_unrelated_settings_in_the_environment_change_nothing(place: Place) -> None:
    """`git -c color.ui=always` around a launch is no reason to refuse it."""
    found = place.locate(place.repository(), GIT_CONFIG_PARAMETERS="'color.ui'='always'", GIT_CONFIG_COUNT="")
    assert found == Repository(remotes=("github.com/acme/llama-1",))


# SSH's names


def test_a_name_that_ssh_gives_a_host_hides_nothing(place: Place) -> None:
    """A second account's name for the same server is that server."""
    made = place.repository(remote="git@work:acme/llama-1.git")
    place.git(made, "remote", "add", "home", "ssh://git@github.com-home/ada/x")
    place.git(made, "remote", "add", "web", "https://work/ada/y")
    (place.home / ".ssh" / "config").write_text(
        "Host *\n  User git\nHost work github.com-*\n  HostName github.com\n"
    )
    assert place.locate(made) == Repository(
        remotes=("github.com/acme/llama-1", "github.com/ada/x", "work/ada/y")
    )


@pytest.mark.parametrize(
    ("config", "host", "expected"),
    [
        ("", "work", "work"),
        ("HostName github.com", "work", "github.com"),
        ("Host work\nHostName github.com\nHost *\nHostName other", "work", "github.com"),
        ("Host !work *\nHostName github.com", "work", "work"),
        ("Host w?rk\nHostName github.com", "work", "github.com"),
        ("Host WORK\nHostName GitHub.com.", "work", "github.com"),
        ("host=work\nhostname = github.com", "work", "github.com"),
        ('Host "work"\n\tHostName "github.com"', "work", "github.com"),
        ("Host work\nHostName %h.acme.example", "work", "work.acme.example"),
        ("# Host work\nHostName github.com # no", "other", "github.com"),
        ("Host work # github.com\nHostName github.com # home", "work", "github.com"),
        ("Host work # github.com\nHostName github.com", "github.com", "github.com"),
        ('Host "#work"\nHostName github.com', "#work", "github.com"),
        ("Host work\nHostName %n", "work", None),
        ("Host work\nHostName", "work", None),
        ("Match host work\nHostName github.com", "work", None),
        ("Match host work\nUser git\nHost work\nHostName github.com", "work", "github.com"),
        ("Match all\nHostName github.com", "work", "github.com"),
        ("Include more\n", "work", "included.example"),
        ("Include ~/.ssh/m*\n", "work", "included.example"),
        ("Include m?re nowhere\n", "work", "included.example"),
        ("Host other\nInclude more", "work", "work"),
        ("Host work\nInclude more", "work", "included.example"),
        ("Match exec x\nInclude more", "work", None),
        ("Include [m]ore", "work", None),
        ("Include */more", "work", None),
        ("Include ${HOME}/more", "work", None),
        ("Include config", "work", None),
        ("Include nowhere/*", "work", "work"),
        ("Include empty more", "work", "included.example"),
    ],
)
def test_the_host_that_ssh_connects_to(place: Place, config: str, host: str, expected: str | None) -> None:
    """`Host`, `HostName`, `Match` and `Include` as in ssh_config(5); what isn't decided here is malformed."""
    (place.home / ".ssh" / "config").write_text(config)
    (place.home / ".ssh" / "empty").write_text("# nothing\n\n")
    (place.home / ".ssh" / "more").write_text("Host work\nHostName included.example\n")
    world = World(place.etc)
    if expected is None:
        with pytest.raises(Malformed):
            real_host(world, host, home=str(place.home))
    else:
        assert real_host(world, host, home=str(place.home)) == expected


_KEPT_SSH = (
    "ssh",
    "/usr/bin/ssh",
    "ssh -i ~/.ssh/work -o IdentitiesOnly=yes",
    "ssh  -4 -qvv -p 2222 -p22 -i/home/ada/key",
    "ssh -oIdentityFile=~/.ssh/work -o identitiesonly=yes",
)
_OTHER_SSH = (
    "",
    " ",
    "ssh -F /dev/null",
    "ssh -o HostName=github.com",
    "ssh -oProxyCommand=x",
    "ssh -o ProxyJump=x -i key",
    "ssh -J x",
    "ssh -vF x",
    "ssh -i key -l",
    "ssh -i",
    "ssh -o IdentityFile",
    "ssh -o IdentityFile=",
    "ssh elsewhere",
    "ssh --",
    "ssh -",
    "ssh -i key; wrapper",
    "ssh -i $(x)",
    'ssh -i "key"',
    "ssh\t-F x",
    "ssh -i\nkey",
    "HOME=/x ssh",
    "./ssh",
    "wrapper",
    "plink -batch",
)


@pytest.mark.parametrize("command", [*_KEPT_SSH, *_OTHER_SSH])
def test_a_command_in_place_of_ssh_hides_no_host(place: Place, command: str) -> None:
    """However git is given it, a command that could lead elsewhere makes remotes by SSH unreadable, no others."""
    by_ssh = place.repository("by-ssh", remote="git@github.com:acme/llama-1.git")
    by_https = place.repository("by-https")
    found = Repository(remotes=("github.com/acme/llama-1",))
    counted = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.sshCommand",
        "GIT_CONFIG_VALUE_0": command,
    }
    for environment in ({"GIT_SSH_COMMAND": command}, {"GIT_SSH": command}, counted):
        assert place.locate(by_https, **environment) == found
        if command in _KEPT_SSH:
            assert place.locate(by_ssh, **environment) == found
        else:
            assert _unreadable(place.locate(by_ssh, **environment))
    for directory in (by_ssh, by_https):
        place.git(directory, "config", "core.sshCommand", command)
    assert place.locate(by_https) == found
    assert place.locate(by_ssh) == found if command in _KEPT_SSH else _unreadable(place.locate(by_ssh))
    assert _unreadable(place.locate(by_ssh, GIT_CONFIG_PARAMETERS="'core.sshCommand'='x'"))


def test_a_command_without_a_value_or_of_a_worktree_counts(place: Place) -> None:
    """`sshCommand` alone on its line is none that could be judged; another section's is nobody's."""
    made = place.repository(remote="git@github.com:acme/llama-1.git")
    config = made / ".git" / "config"
    before = config.read_text()
    config.write_text(before + '[core "x"]\nsshCommand = y\n[other]\nsshCommand = y\n')
    assert place.locate(made) == Repository(remotes=("github.com/acme/llama-1",))
    config.write_text(before + "[core]\nsshCommand\n")
    assert _unreadable(place.locate(made))


def test_the_systems_ssh_configuration_comes_second(place: Place) -> None:
    """The person's configuration wins over the system's, which includes relative to its own directory."""
    (place.etc / "ssh" / "ssh_config").write_text("Include ssh_config.d/*.conf\n")
    (place.etc / "ssh" / "ssh_config.d").mkdir()
    (place.etc / "ssh" / "ssh_config.d" / "a.conf").write_text("Host work\nHostName system.example\n")
    world = World(place.etc)
    assert real_host(world, "work", home=str(place.home)) == "system.example"
    assert real_host(world, "work", home="") == "system.example"
    (place.home / ".ssh" / "config").write_text("Host work\nHostName own.example\n")
    assert real_host(world, "work", home=str(place.home)) == "own.example"


def test_a_host_name_that_is_none_is_unreadable(place: Place) -> None:
    """Where SSH's configuration leads to an address that is no host name, the remote is uncanonical."""
    made = place.repository(remote="git@work:acme/x")
    (place.home / ".ssh" / "config").write_text("Host work\nHostName ::1\n")
    assert _unreadable(place.locate(made))


# A disk that fails

_FAKE: dict[str, bytes | Link] = {
    "/r/.git/HEAD": b"ref: refs/heads/main\n",
    "/r/.git/objects/x": b"",
    "/r/.git/refs/x": b"",
    "/r/.git/config": b'[remote "o"]\nurl = git@github.com:acme/x\n[includeIf "gitdir:~/"]\npath = x\n',
}


def test_a_broken_disk_is_no_answer() -> None:
    """Whichever call fails for a reason other than absence or permission, the failure goes to the caller."""

    def run(world: FakeWorld) -> Location:
        return locate(world, "/r", home="/home/ada", environment={})

    whole = FakeWorld(_FAKE)
    assert run(whole) == Repository(remotes=("github.com/acme/x",))
    assert len(whole.calls) > 10
    for at in range(len(whole.calls)):
        with pytest.raises(OSError, match="Input/output"):
            run(FakeWorld(_FAKE, fail_at=at))


def test_nothing_is_started_and_nothing_is_written() -> None:
    """A repository is hostile: no program runs to look at it."""
    world = FakeWorld(_FAKE)
    locate(world, "/r", home="/home/ada", environment={})
    assert set(world.names_of_calls()) <= {"stat", "open_read", "readlink", "realpath", "listdir"}
