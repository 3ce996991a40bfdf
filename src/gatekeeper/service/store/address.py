"""Where the database is: an SQLite file, or PostgreSQL. Passwords are kept out of what is written and shown.

`postgresql://NAME@HOST/DATABASE` may carry libpq's options (`?sslmode=verify-full&sslrootcert=FILE`). Its
password comes from a file of its own, from PGPASSWORD or from PGPASSFILE, never from the address: an address
stands in process lists, in configuration that is checked in, and in messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gatekeeper.errors import GatekeeperError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import URL

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
_MAX_PASSWORD_BYTES = 4096


def parse_database(text: str) -> URL:
    """Read the address of a database, with the driver that this program brings.

    Raises:
        GatekeeperError: GK101, it is none of the two, or it holds a password.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise GatekeeperError("GK101", "database: not a database URL") from error
    if url.drivername == SQLITE:
        return url
    if url.drivername not in (POSTGRESQL, "postgres", "postgresql+psycopg"):
        raise GatekeeperError(
            "GK101", "database: not a database URL. It is sqlite:////FILE or postgresql://NAME@HOST/DATABASE."
        )
    if url.password is not None or "password" in url.query:
        raise GatekeeperError(
            "GK101",
            "database: the address holds a password, which everyone sees who lists processes or reads the file.",
            remedy="Put it into a file (0600) that database_password_file names, or into PGPASSWORD.",
        )
    return url.set(drivername="postgresql+psycopg")


def shown(text: str) -> str:
    """Return the address as it may be shown: parsed and rendered, so that nothing secret slips through."""
    return parse_database(text).set(drivername=make_url(text).get_backend_name()).render_as_string()


def read_password(path: Path) -> str:
    """Read a password file, as a container's secret is mounted: one line, the newline at its end is no part of it.

    Raises:
        GatekeeperError: GK101, it can't be read, is empty, or open to everyone on the machine.
    """
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            text = file.read(_MAX_PASSWORD_BYTES + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GatekeeperError("GK101", f"database_password_file: {path} can't be read: {error}.") from error
    if mode & 0o007:
        raise GatekeeperError(
            "GK101", f"database_password_file: {path} is open to everyone.", remedy=f"chmod 600 {path}"
        )
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or len(text) > _MAX_PASSWORD_BYTES or "\n" in password:
        raise GatekeeperError("GK101", f"database_password_file: {path} holds no password of one line.")
    return password
