"""The base of the errors that a command reports in one line."""

from __future__ import annotations


class PluraError(Exception):
    """A problem that the user can solve; the text is one line that says what it is and what to do."""
