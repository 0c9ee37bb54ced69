"""Sessions that were ended before they expired: copies of their cookies are no longer accepted."""

from __future__ import annotations

from plura.kit.auth.sign_in import Session
from plura.kit.statements import Statements


class EndedSessions:
    """Records the end of sessions in the database, so that all processes know it, also after a restart.

    Lookups check the session in their own statement; ``require_open`` is for pages without a lookup.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def end(self, session: Session) -> None:
        """End a session.

        Raises:
            UnavailableError: the end was not recorded, so the session continues.
        """
        parameters = {"session": session.session_id, "expires_at": session.principal.expires_at}
        await self._statements.run("end_session", "ended_sessions", parameters)

    async def require_open(self, session: Session) -> None:
        """Check that a session was not ended.

        Raises:
            SessionEndedError: the session was ended.
            UnavailableError: the database is not available.
        """
        await self._statements.run("session", "ended_sessions", {"session": session.session_id})
