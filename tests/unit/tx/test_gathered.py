"""What is gathered for a batch, and how old it is."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from plura.tx.consumer.loop import Gathered

PLACE = ("topic", 0)


def record(offset: int, at: float) -> Any:
    return SimpleNamespace(
        topic="topic", partition=0, offset=offset, value=b"{}", key=None, headers=[], timestamp=int(at * 1000)
    )


def test_the_age_is_that_of_the_first_message() -> None:
    gathered = Gathered()
    gathered.take(PLACE, [record(7, 1000.0), record(8, 2000.0)])
    assert gathered.first_at == {PLACE: 1000.0}
    assert gathered.ends == {PLACE: 9}


def test_a_message_from_the_future_is_as_old_as_its_arrival() -> None:
    gathered = Gathered()
    gathered.take(PLACE, [record(7, time.time() + 86_400)])
    assert gathered.first_at[PLACE] <= time.time()
