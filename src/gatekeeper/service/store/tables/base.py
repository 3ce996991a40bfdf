"""What every table rests on: one metadata, with names for constraints that migrations can refer to.

Times are Unix seconds, of 64 bits; ids are opaque texts. State columns hold the words of the protocol's state
machines and change only by compare-and-set (`access`). Secrets (codes, refresh and access tokens) are stored as
SHA-256 digests, never as themselves. Changes of a table need a migration beside it; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts up a column only where its type is exactly INTEGER (which has 64 bits there).
SERIAL = BigInteger().with_variant(Integer, "sqlite")
