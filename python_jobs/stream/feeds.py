"""Which topic feeds which Bronze table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from python_jobs.contracts import Table
from python_jobs.warehouse import LakeError

LINES, CHANGES = "lines", "cdc"

_EVENTS = {"ledger.entry.upserted": "transaction_ledger", "payment.order.upserted": "payment_orders"}
_CHANGES = {"cdc.user_wallets": "user_wallets"}
_RAW = "raw."


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A topic and the Bronze table of its messages.

    ``form`` is ``lines`` where a message is what a line of the table's files is, events of the transaction service
    included, and ``cdc`` where it is a change event of a database table.
    """

    topic: str
    table: str
    form: str = LINES


def default_feeds(tables: dict[str, Table]) -> list[Feed]:
    """Return the topics that are read unless others are named: events, changes of wallets, and one per source."""
    named = {table.source: table.name for table in tables.values() if table.source}
    return [
        *(Feed(topic=topic, table=named[source]) for topic, source in _EVENTS.items()),
        *(Feed(topic=topic, table=named[source], form=CHANGES) for topic, source in _CHANGES.items()),
        *(Feed(topic=f"{_RAW}{source}", table=table) for source, table in named.items()),
    ]


def read_feeds(words: Sequence[str], tables: dict[str, Table]) -> list[Feed]:
    """Return the feeds that words name: a default topic, ``topic=source``, or ``topic=user_wallets:cdc``.

    Raises:
        LakeError: a word names no topic that is known, or no source.
    """
    known = {feed.topic: feed for feed in default_feeds(tables)}
    sources = {name: table.name for table in tables.values() if table.source for name in (table.source, table.name)}
    feeds: dict[str, Feed] = {}
    for word in words:
        topic, is_definition, rest = word.partition("=")
        source, _, form = rest.partition(":")
        if not is_definition:
            if topic not in known:
                raise LakeError(
                    f"{topic!r} is not a topic that the lake knows: say what it holds with {topic}=SOURCE, or choose"
                    f" among {', '.join(known)}"
                )
            feed = known[topic]
        elif source not in sources or (form and form not in {LINES, CHANGES}):
            raise LakeError(f"{word!r}: write TOPIC=SOURCE or TOPIC=SOURCE:cdc with a source among {_names(tables)}")
        else:
            feed = Feed(topic=topic, table=sources[source], form=form or LINES)
        if feed.form == CHANGES and feed.table != sources["user_wallets"]:
            raise LakeError(f"{word!r}: changes of user_wallets only are understood; send lines of the other sources")
        if feeds.setdefault(feed.topic, feed) != feed:
            raise LakeError(f"topic {feed.topic} is named for two tables")
    return list(feeds.values())


def _names(tables: dict[str, Table]) -> str:
    return ", ".join(table.source for table in tables.values() if table.source)
