"""Which table is meant by a name that is almost the name of one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from python_jobs.contracts import Table
from python_jobs.spelling import closest

_NO_WORDS = {"raw", "bronze"}
"""Words that do not distinguish one table from another."""


@dataclass(frozen=True, kw_only=True)
class TableMatch:
    """The table that a name means.

    ``is_whole_name``: nothing else is in the name, as a date would be; ``is_guess``: it shares no more than a word;
    ``is_by_content``: the content of the file says so, and not its name.
    """

    table: Table
    is_whole_name: bool
    is_guess: bool = False
    is_by_content: bool = False


def match_table(name: str, by_name: Mapping[str, Table]) -> TableMatch | None:
    """Return the table that a name means: another spelling, a name with a date, a part of it or a misspelling.

    Args:
        name: of a file, without its ending, or of a folder.
        by_name: the tables by their names and by those of their sources.
    """
    given = _words(name)
    words = {table.name: (_words(str(table.source)), table) for table in by_name.values()}
    joined = {"".join(own): table for own, table in words.values()}
    text = "".join(given)
    if contained := [source for source in joined if source in text]:
        longest = max(contained, key=len)
        return TableMatch(table=joined[longest], is_whole_name=text == longest)
    letters = [word for word in given if not word.isdigit()]
    if not letters:
        return None
    part_of = [table for own, table in words.values() if set(letters) <= set(own)]
    if len(part_of) == 1:
        return TableMatch(table=part_of[0], is_whole_name=letters == given)
    if similar := closest("".join(letters), joined):
        return TableMatch(table=joined[similar], is_whole_name=letters == given)
    sharing = [table for own, table in words.values() if set(letters) & set(own)]
    return TableMatch(table=sharing[0], is_whole_name=False, is_guess=True) if len(sharing) == 1 else None


def _words(name: str) -> list[str]:
    """The words of a name in lower case and without the s of a plural: TransactionLedger, transaction-ledger."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name))
    words = re.findall(r"[^\W\d_]+|\d+", spaced.lower())
    return [word.removesuffix("s") for word in words if word not in _NO_WORDS]
