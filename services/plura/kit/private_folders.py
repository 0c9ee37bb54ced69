"""Folders and files in places where others may put something first: a link, or a folder of their own.

Root, above all, must not change the owner or the mode of what a planted link leads to, nor write or read through it.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO

from plura.kit.errors import ServiceError


class PlantedError(ServiceError):
    """Something lies where ours should be, and it is not ours."""


def refuse_links_of_others(path: Path) -> None:
    """Check that no part of an absolute path is a link that another user made.

    Raises:
        PlantedError: one is.
    """
    for part in (path, *path.parents):
        try:
            found = part.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in {0, os.geteuid()}:
            raise PlantedError(f"{part} is a link that user {found.st_uid} made: name the folder it leads to")


def make_private(folder: Path, owner: pwd.struct_passwd | None) -> None:
    """Make a folder that belongs to ``owner``, by default to us, and is open to nobody else.

    Raises:
        PlantedError: a part of its path is a link of another user.
    """
    refuse_links_of_others(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # what is opened here is what is changed, whatever its name leads to meanwhile
    opened = os.open(folder.resolve(), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(opened, stat.S_IRWXU)
        if owner is not None:
            os.fchown(opened, owner.pw_uid, owner.pw_gid)
    finally:
        os.close(opened)


def is_private(folder: Path, owner: int) -> bool:
    """Whether there is such a folder, no link, of a user and open to nobody else."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and stat.S_IMODE(found.st_mode) == stat.S_IRWXU


def open_lock(path: Path) -> IO[bytes]:
    """Open a file that is only locked; it is made if there is none, and its content stays.

    Raises:
        PlantedError: it is a link.
    """
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+b", 0)
    except OSError as error:
        if path.is_symlink():
            raise PlantedError(f"{path} is a link: remove it") from None
        raise PlantedError(f"{path} cannot be opened: {error.strerror}") from None


def read_beginning(path: Path, most: int) -> str:
    """Return the first characters of a file, nothing if there is none or a link."""
    return _read(path, lambda file: file.read(most))


def read_end(path: Path, most: int) -> str:
    """Return the last characters of a file, nothing if there is none or a link."""

    def read(file: IO[bytes]) -> bytes:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - most))
        return file.read(most)

    return _read(path, read)


def _read(path: Path, read: Callable[[IO[bytes]], bytes]) -> str:
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(opened, "rb") as file:
        return read(file).decode(errors="replace")
