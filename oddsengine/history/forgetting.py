"""Forgets people: the only personal data in the history are the subjects of those who have made, confirmed or lifted commands.

A person becomes a pseudonym that nothing leads back from: it is random. The chain of commands holds commitments to names, not
names; with their salts deleted nobody can find a name by trying.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from oddsengine.history.database import Database

#: What pseudonyms begin with.
FORGOTTEN: Final = "forgotten-"
#: Of an entry in which somebody else is too, the commitment to them can't be checked any more either: an entry has one salt.
_FORGET: Final = """
    UPDATE commands SET
        author = CASE author WHEN $1 THEN $2 ELSE author END,
        confirmed_by = CASE confirmed_by WHEN $1 THEN $2 ELSE confirmed_by END,
        lifted_by = CASE lifted_by WHEN $1 THEN $2 ELSE lifted_by END,
        salt = ''
    WHERE $1 IN (author, confirmed_by, lifted_by)
"""


async def forget_author(database: Database, author: str) -> tuple[str, int]:
    """Replace a person by a pseudonym, the same in all entries. Return it, and in how many entries they were."""
    pseudonym = FORGOTTEN + secrets.token_hex(8)
    status = await database.execute(_FORGET, author, pseudonym)
    return pseudonym, int(status.rpartition(" ")[2])
