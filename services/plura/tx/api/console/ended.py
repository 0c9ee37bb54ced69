"""Sessions that were ended before they expired: no copy of their cookies is accepted any more."""

from __future__ import annotations

from plura.kit.auth.sign_in import Session
from plura.tx.api.statements import Statements


class EndedSessions:
    """Records the end of sessions in the database, so that it holds in all processes and after a restart.

    Lookups check the session in their own statement; this checks it for pages that look nothing up.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def end(self, session: Session) -> None:
        """End a session.

        Raises:
            UnavailableError: it was not recorded, so the session continues.
        """
        parameters = {"session": session.session_id, "expires_at": session.principal.expires_at}
        await self._statements.rows("end_session", "ended_sessions", parameters)

    async def require_open(self, session: Session) -> None:
        """Check that a session was not ended.

        Raises:
            SessionEndedError: it was.
            UnavailableError: the database cannot be asked.
        """
        await self._statements.rows("session", "ended_sessions", {"session": session.session_id})
