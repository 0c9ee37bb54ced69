"""A primary with a hot standby, and an address that moves from one to the other, as in a failover."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from plura.kit.embedded_postgres import EmbeddedPostgres
from tests.postgres import TestDatabase


@contextmanager
def hot_standby(primary: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """Run a standby of ``primary`` that can be read."""
    with TemporaryDirectory(prefix="plura-pg-") as folder:
        standby = EmbeddedPostgres(Path(folder) / "standby", fsync="off", max_connections="60")
        standby._own(standby.folder)
        Path(folder).chmod(0o711)
        standby._run("pg_basebackup", "-D", standby.folder, "-d", primary.url, "-R", "-c", "fast", "--no-sync")
        (standby.folder / ".s.PGSQL.5432.lock").unlink()  # the primary's socket lies in its folder
        standby.start()
        try:
            yield standby
        finally:
            standby.stop("immediate")


def wait_for_replay(primary: EmbeddedPostgres, standby: EmbeddedPostgres) -> None:
    """Wait until ``standby`` has everything that ``primary`` has by now."""
    with (
        psycopg.connect(primary.url, autocommit=True) as writer,
        psycopg.connect(standby.url, autocommit=True) as reader,
    ):
        here = writer.execute("select pg_current_wal_lsn()").fetchone()
        while reader.execute("select pg_last_wal_replay_lsn() >= %s", here).fetchone() != (True,):
            pass


def set_read_only(server: EmbeddedPostgres, *, is_on: bool) -> None:
    """Let every session of ``server`` be read-only, the open ones too, as whoever demotes a primary does."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("set default_transaction_read_only = off")
        connection.execute(f"alter system set default_transaction_read_only = {'on' if is_on else 'off'}")
        connection.execute("select pg_reload_conf()")


def promote(server: EmbeddedPostgres) -> None:
    """Make a standby the primary."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        assert connection.execute("select pg_promote()").fetchone() == (True,)


@dataclass(kw_only=True)
class MovingAddress:
    """Forwards connections to ``target``; it can be pointed elsewhere, which open connections do not notice."""

    target: EmbeddedPostgres
    port: int = 0
    _pairs: dict[socket.socket, socket.socket] = field(default_factory=dict)
    _stopping: bool = False
    _resetting: threading.Event = field(default_factory=threading.Event)
    _was_reset: threading.Event = field(default_factory=threading.Event)

    def database(self, name: str) -> TestDatabase:
        """A database behind this address, read and written by tests at whichever server it points to."""
        return _Moved(server=self.target, name=name, address=self)

    def reset(self) -> None:
        """Break all connections, as a device on the way does."""
        self._was_reset.clear()
        self._resetting.set()
        assert self._was_reset.wait(10)

    def serve(self, listening: socket.socket) -> None:
        """Forward until the test ends."""
        with selectors.DefaultSelector() as selector:
            selector.register(listening, selectors.EVENT_READ)
            while not self._stopping:
                for key, _ in selector.select(0.05):
                    connected = key.fileobj
                    assert isinstance(connected, socket.socket)
                    if connected is listening:
                        self._take(listening.accept()[0], selector)
                    elif connected in self._pairs:
                        self._forward(connected, selector)
                if self._resetting.is_set():
                    self._break(selector)
        for connected in self._pairs:
            connected.close()

    def _take(self, client: socket.socket, selector: selectors.BaseSelector) -> None:
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(str(self.target._socket_folder / ".s.PGSQL.5432"))
        except OSError:
            client.close()
            server.close()
            return
        for source, sink in ((client, server), (server, client)):
            self._pairs[source] = sink
            selector.register(source, selectors.EVENT_READ)

    def _break(self, selector: selectors.BaseSelector) -> None:
        for connected in self._pairs:
            selector.unregister(connected)
            if connected.family is socket.AF_INET:
                connected.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )  # closing sends a reset
            connected.close()
        self._pairs.clear()
        self._resetting.clear()
        self._was_reset.set()

    def _forward(self, source: socket.socket, selector: selectors.BaseSelector) -> None:
        sink = self._pairs[source]
        try:
            data = source.recv(65_536)
            if data:
                sink.sendall(data)
                return
        except OSError:
            pass
        for end in (source, sink):
            selector.unregister(end)
            del self._pairs[end]
            end.close()


@dataclass(frozen=True, kw_only=True)
class _Moved(TestDatabase):
    address: MovingAddress

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.address.port}/{self.name}"


@contextmanager
def moving_address(target: EmbeddedPostgres) -> Iterator[MovingAddress]:
    """Listen on loopback until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = MovingAddress(target=target, port=listening.getsockname()[1])
        thread = threading.Thread(target=address.serve, args=[listening], daemon=True)
        thread.start()
        try:
            yield address
        finally:
            address._stopping = True
            thread.join(10)
