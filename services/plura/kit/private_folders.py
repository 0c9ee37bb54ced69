"""Folders and files in places where other users may have created something first: a link, or a folder.

Root, in particular, must not change owner or mode of the target of a planted link, nor read or write through it.
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
    """A file, folder or link of a different user is in place of ours."""


def refuse_links_of_others(path: Path) -> None:
    """Check that no part of an absolute path is a link of a different user.

    Raises:
        PlantedError: a part is.
    """
    for part in (path, *path.parents):
        try:
            found = part.lstat()
        except FileNotFoundError:
            continue
        if stat.S_ISLNK(found.st_mode) and found.st_uid not in {0, os.geteuid()}:
            raise PlantedError(f"{part} is a link that user {found.st_uid} made: name the folder it leads to")


def make_private(folder: Path, owner: pwd.struct_passwd | None) -> None:
    """Create a folder that only ``owner``, by default the current user, can access.

    Raises:
        PlantedError: a part of its path is a link of a different user.
    """
    refuse_links_of_others(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # changes apply to the opened folder, even if its name is replaced meanwhile
    opened = os.open(folder.resolve(), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(opened, stat.S_IRWXU)
        if owner is not None:
            os.fchown(opened, owner.pw_uid, owner.pw_gid)
    finally:
        os.close(opened)


def is_private(folder: Path, owner: int) -> bool:
    """Whether ``folder`` is a folder, not a link, that only user ``owner`` can access."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and stat.S_IMODE(found.st_mode) == stat.S_IRWXU


def open_lock(path: Path) -> IO[bytes]:
    """Open a file for locking; create it if missing, keep its content.

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
    """Return the first bytes of a file as text, blank if it is missing or a link."""
    return _read(path, lambda file: file.read(most))


def read_end(path: Path, most: int) -> str:
    """Return the last bytes of a file as text, blank if it is missing or a link."""

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
