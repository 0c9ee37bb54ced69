"""Numbers of JSON texts by the digits that they are written with."""

from __future__ import annotations


class NumberText(str):
    """A JSON number, by the digits it is written with: none is lost on the way to a decimal column."""

    __slots__ = ()
