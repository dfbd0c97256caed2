"""Downloading the CIFAR-10 archive from its official address: resumed where it stopped, checked, unpacked in one piece."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optlab.data import cifar10
from optlab.errors import InputError, Interrupted, OptlabError

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  #: as published beside the address
MEMBERS = tuple(f"{name}.bin" for name in (*cifar10.TRAINING, cifar10.TEST))
OTHERS = ("batches.meta.txt", "readme.html")  #: kept if they are there
PIECE = 1 << 18
Progress = Callable[[int, int, str], None]


def fetch_cifar10(
    folder: str | os.PathLike[str], *, url: str = URL, md5: str = MD5, timeout: float = 60.0, progress: Progress | None = None
) -> Path:
    """Download and unpack CIFAR-10 (162 MB, 184 MB unpacked) into ``folder/cifar-10-batches-bin``; returns that folder.

    What is there and complete is not fetched again. An interrupted download goes on where it stopped. The archive's checksum is verified
    before it is unpacked, and the folder appears as a whole.

    Parameters
    ----------
    url, md5
        Another address of the same archive; another archive's checksum.
    timeout
        Seconds without an answer after which to give up.
    progress
        Told bytes done, bytes in all and what is done.

    Raises
    ------
    InputError
        The folder cannot be written; the archive is not the one expected.
    OptlabError
        The download failed; what came is kept.
    Interrupted
        Ctrl-C; what came is kept.
    """
    base = Path(folder).expanduser()
    target = base / cifar10.FOLDERS[0]
    if all((target / name).is_file() and (target / name).stat().st_size == _size() for name in MEMBERS):
        return target
    archive = base / url.rsplit("/", 1)[-1]
    part = archive.with_name(archive.name + ".part")
    try:
        base.mkdir(parents=True, exist_ok=True)
        if not archive.is_file() or digest(archive) != md5:
            _download(url, part, md5, timeout, progress)
            os.replace(part, archive)
        if progress:
            progress(0, 0, "unpacking")
        _unpack(archive, target)
        archive.unlink()
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; what came is kept in {base}: the same command goes on from there") from None
    except ValueError as error:  # urllib's word for what is no address
        raise InputError(f"--url {url}: {error}; give an address such as {URL}") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        kept = f"; {part.stat().st_size:,} bytes are kept in {part}: the same command goes on from there" if part.is_file() else ""
        raise OptlabError(f"cannot download {url} ({reason}){kept}") from None
    except OSError as error:
        raise InputError(f"{base}: cannot write there ({error.strerror or error}); name another folder with --data-dir") from None
    return target


def digest(path: Path) -> str:
    """The MD5 of a file, as the official page gives it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _size() -> int:
    return cifar10.RECORDS * (1 + cifar10.PIXELS)


def _download(url: str, part: Path, md5: str, timeout: float, progress: Progress | None) -> None:
    """Bring the whole file into ``part``; a continued one that proves wrong is fetched once more from its start."""
    resumed = part.is_file() and part.stat().st_size > 0
    _transfer(url, part, timeout, progress)
    found = digest(part)
    if found != md5 and resumed:
        part.unlink()
        _transfer(url, part, timeout, progress)
        found = digest(part)
    if found != md5:
        size = part.stat().st_size
        part.unlink()
        raise InputError(f"{url}: what came ({size:,} bytes, MD5 {found}) is not CIFAR-10 (MD5 {md5}); it was deleted, try again later")


def _transfer(url: str, part: Path, timeout: float, progress: Progress | None) -> None:
    """Append to ``part`` what it lacks, or write it anew where the server does not continue."""
    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "optlab", "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and have:  # nothing lies beyond what is there: whole, or wrong
                return
        raise
    with answer:
        goes_on = answer.status == 206 and str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-")
        if have and not goes_on:
            have = 0
        total = have + int(answer.headers.get("Content-Length") or 0)
        with part.open("ab" if have else "wb") as stream:
            while piece := answer.read(PIECE):
                stream.write(piece)
                have += len(piece)
                if progress:
                    progress(have, max(total, have), "downloading")
            stream.flush()
            os.fsync(stream.fileno())
        if have < total:  # a connection that closes early reads as an end
            raise ConnectionError(f"the connection closed after {have:,} of {total:,} bytes")


def _unpack(archive: Path, target: Path) -> None:
    """Take the known files out of the archive, by name and as plain files only; rename the folder into place."""
    room = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part"))
    try:
        with tarfile.open(archive, "r:gz") as packed:
            for member in packed:
                name = member.name.rsplit("/", 1)[-1]
                if not member.isreg() or name not in (*MEMBERS, *OTHERS) or member.size > _size():
                    continue
                stream: Any = packed.extractfile(member)
                with stream, (room / name).open("wb") as out:
                    shutil.copyfileobj(stream, out)
                    out.flush()
                    os.fsync(out.fileno())
        lacking = [name for name in MEMBERS if not (room / name).is_file() or (room / name).stat().st_size != _size()]
        if lacking:
            raise InputError(f"{archive}: {lacking[0]} with {_size():,} bytes is not in it; this is no CIFAR-10 archive: delete it")
        os.chmod(room, 0o755)
        if target.exists():
            aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.", suffix=".old.part"))
            os.replace(target, aside / target.name)
            os.replace(room, target)
            shutil.rmtree(aside)
        else:
            os.replace(room, target)
    except (tarfile.TarError, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{archive}: cannot be unpacked ({error}); delete it and fetch again") from None
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(room)
