"""Writing files so that a reader, or a crash, never meets half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import IO

_NO_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)  # what file systems say that cannot flush a folder


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, rename into place: a reader sees the old file, the new one, or none; never half of one."""
    with replacing(path) as stream:
        stream.write(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream into a file beside ``path``, which takes its place as a whole when the block ends, and is removed if it fails.

    Raises OSError where the file cannot be written. A process killed in the block leaves its file beside: see ``is_leftover``.
    """
    _make_folder(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _flush_folder(path.parent)


def mend(error: OSError, place: str = "a place you can write to") -> str:
    """What the user can do about it, in a few words.

    >>> mend(OSError(errno.ENOSPC, "No space left on device")), mend(PermissionError(errno.EACCES, "Permission denied"))
    ('free some space', 'name a place you can write to')
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space"
    refused = (errno.EACCES, errno.EPERM, errno.EROFS)
    misnamed = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP)
    return f"name {place}" if error.errno in refused + misnamed else "see to the disk"


def is_leftover(path: Path) -> bool:
    """Whether the file is named as one that is being written beside another: where no writer lives, a killed one has left it.

    >>> is_leftover(Path("cells/.ab12.nc.x8k_2q.part")), is_leftover(Path("cells/ab12.part"))
    (True, False)
    """
    return path.name.startswith(".") and path.name.endswith(".part")


def _make_folder(folder: Path) -> None:
    made = list(takewhile(lambda path: not path.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    for path in made:
        _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """A new name lasts through a power cut once its folder is on disk."""
    if os.name != "posix":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
