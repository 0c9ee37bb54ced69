"""The embedded PostgreSQL: shared, stopped, crashed, and surrounded by links that somebody planted."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from plura.kit.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, program
from plura.kit.private_folders import PlantedError, is_private, make_private, open_lock
from tests.commands import Plura
from tests.dbt_runs import PROJECT

LONG = "a-path-that-is-too-long-for-the-socket-of-a-server-in-it/" * 2
NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may write to, as that for temporary files."""
    with TemporaryDirectory(prefix="plura-planted-") as folder:
        Path(folder).chmod(0o1777)
        yield Path(folder)


@pytest.fixture
def victim(place: Path) -> Iterator[Path]:
    """A folder of ours with a file in it, which nothing may touch."""
    folder = place / "victim"
    folder.mkdir(mode=0o755)
    file = folder / "passwords"
    file.write_text("secret")
    file.chmod(0o644)
    before = [(path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_gid) for path in (folder, file)]
    yield folder
    assert [(path.lstat().st_mode, path.lstat().st_uid, path.lstat().st_gid) for path in (folder, file)] == before
    assert file.read_text() == "secret"
    assert list(folder.iterdir()) == [file]


def plant(link: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another user have made a link."""
    link.symlink_to(target)
    if os.geteuid() == 0:
        os.lchown(link, NOBODY, NOBODY)
    else:
        other_user = os.geteuid() + 1
        monkeypatch.setattr("plura.kit.private_folders.os.geteuid", lambda: other_user)


def answers(server: EmbeddedPostgres) -> bool:
    with psycopg.connect(server.url) as connection:
        return connection.execute("select 1").fetchone() == (1,)


def socket_folder(server: EmbeddedPostgres) -> Path:
    return Path(server.url.rpartition("host=")[2])


@pytest.mark.parametrize("long", [False, True])
def test_it_is_found_by_others_and_leaves_nothing_but_its_data(place: Path, long: bool) -> None:
    folder = place / (LONG if long else "") / "pg"
    server = EmbeddedPostgres(folder, fsync="off")
    server.start()
    try:
        assert answers(server)
        second_server = EmbeddedPostgres(folder)
        second_server.start()
        assert second_server.url == server.url
        assert answers(second_server)
        sockets = socket_folder(server)
        assert (sockets == folder) is not long
        owner = NOBODY if os.geteuid() == 0 else os.geteuid()
        assert is_private(sockets, owner)
        assert is_private(folder, owner)
    finally:
        server.stop()
    assert sockets.exists() is not long
    if long:
        with pytest.raises(EmbeddedPostgresError, match="does not run"):
            _ = EmbeddedPostgres(folder).url


@pytest.mark.parametrize("target", ["victim", "victim/passwords", "nowhere"])
def test_a_link_planted_where_sockets_were_once_is_not_followed(
    place: Path, victim: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = place / "t"
    temporary.mkdir()
    temporary.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    folder = (place / LONG / "pg").absolute()
    foreseen = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    (temporary / f"plura-pg-{foreseen}").symlink_to(place / target)
    server = EmbeddedPostgres(folder, fsync="off")
    server.start()
    try:
        assert answers(server)
        assert not socket_folder(server).is_symlink()
    finally:
        server.stop("immediate")
    assert victim.exists()


def test_a_link_of_another_user_in_place_of_the_data_is_refused(
    place: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(place / "pg", victim, monkeypatch)
    with pytest.raises(PlantedError, match="name the folder it leads to"):
        EmbeddedPostgres(place / "pg").start()
    with pytest.raises(PlantedError):
        EmbeddedPostgres(place / "pg" / "deeper" / "pg").start()
    outcome = Plura(work=place, settings={"PLURA_PG_DIR": str(place / "pg")})("tx", "migrate")
    assert (outcome.code, "is a link" in outcome.error) == (1, True)


@pytest.mark.parametrize("name", ["pg.lock", "pg.users"])
def test_a_link_in_place_of_a_lock_is_refused(place: Path, victim: Path, name: str) -> None:
    (place / name).symlink_to(victim / "passwords")
    server = EmbeddedPostgres(place / "pg", fsync="off")
    try:
        with pytest.raises(PlantedError, match="is a link"):
            server.use()
    finally:
        (place / name).unlink()
        server.stop("immediate")


def test_the_content_of_a_lock_stays(place: Path) -> None:
    (place / "lock").write_text("kept")
    with open_lock(place / "lock"):
        pass
    assert (place / "lock").read_text() == "kept"


def test_a_link_of_our_own_is_followed(place: Path) -> None:
    (place / "disk").mkdir()
    (place / "pg").symlink_to(place / "disk")
    server = EmbeddedPostgres(place / "pg", fsync="off")
    server.start()
    try:
        assert answers(server)
        assert (place / "disk" / "PG_VERSION").exists()
    finally:
        server.stop("immediate")


def test_what_is_read_for_a_message_is_no_link(place: Path, victim: Path) -> None:
    (place / "pg").mkdir()
    (place / "pg" / "PG_VERSION").symlink_to(victim / "passwords")
    with pytest.raises(EmbeddedPostgresError) as refused:
        EmbeddedPostgres(place / "pg").start()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("long", [False, True])
def test_it_is_reached_by_psql_as_the_documents_say(place: Path, long: bool) -> None:
    text = (PROJECT / "docs" / "tx" / "consumer.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^psql -U postgres .*$", text, re.MULTILINE)
    folder = place / (LONG if long else "") / "data" / "pg"
    server = EmbeddedPostgres(folder, fsync="off")
    server.start()
    try:
        asked = subprocess.run(
            ["/bin/bash", "-c", f"{command.replace('psql', str(program('psql')), 1)} -Atc 'select 40 + 2'"],
            cwd=folder.parent.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.stdout == "42\n", asked.stderr
    finally:
        server.stop("immediate")


def test_after_a_crash_it_is_found_where_it_was(place: Path) -> None:
    server = EmbeddedPostgres(place / LONG / "pg", fsync="off")
    server.start()
    url, sockets = server.url, socket_folder(server)
    try:
        pid = int((server.folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        while server.runs():
            pass
        EmbeddedPostgres(server.folder, fsync="off").start()
        assert server.url == url
        assert answers(server)
    finally:
        server.stop("immediate")
    assert not sockets.exists()


def test_after_a_crash_a_link_in_place_of_its_socket_folder_is_not_followed(place: Path, victim: Path) -> None:
    server = EmbeddedPostgres(place / LONG / "pg", fsync="off")
    server.start()
    sockets = socket_folder(server)
    moved = place / "moved"
    try:
        pid = int((server.folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        while server.runs():
            pass
        sockets.rename(moved)
        sockets.symlink_to(victim)
        again = EmbeddedPostgres(server.folder, fsync="off")
        again.start()
        assert socket_folder(again) != sockets
        assert answers(again)
    finally:
        EmbeddedPostgres(server.folder).stop("immediate")
        sockets.unlink()


def test_a_folder_that_is_too_open_is_closed(place: Path) -> None:
    (place / "open").mkdir(mode=0o777)
    make_private(place / "open", None)
    assert stat.S_IMODE((place / "open").stat().st_mode) == 0o700


def test_a_long_folder_for_temporary_files_is_passed_over(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = place / LONG
    long.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    server = EmbeddedPostgres(place / LONG / "pg", fsync="off")
    server.start()
    try:
        assert answers(server)
        assert socket_folder(server).parent == Path("/tmp")  # noqa: S108
    finally:
        server.stop("immediate")
