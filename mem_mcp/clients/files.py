"""Read and write a user's files so that nothing of them can be lost."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from mem_mcp.clients.edit import Unfit

_BACKUP = ".before-mem-mcp"


class Changed(Exception):
    """Somebody else has written the file meanwhile."""


def read(path: Path) -> str | None:
    """Return the text of a file with its line ends and byte order mark; None if there is no file.

    Raises:
        Unfit: it is not UTF-8, or no file.
        OSError: it cannot be read.
    """
    if path.is_dir():
        raise Unfit("it is a folder")
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise Unfit(f"it is not UTF-8 (byte {error.start})") from error


def write(path: Path, text: str, before: str | None, *, keep_first: bool = True) -> list[Path]:
    """Put a text in a file's place at once, or not at all.

    A symbolic link stays one: the file that it leads to is written. Its mode and owner are kept.

    Args:
        path: the file, which need not exist; neither need its folder.
        text: its new content.
        before: its content as `read` returned it.
        keep_first: whether to keep the first version, `before`, beside the file.

    Returns:
        The folders that were made.

    Raises:
        Unfit: the file is read-only.
        Changed: its content is not `before`.
        OSError: it cannot be written.
    """
    real = Path(os.path.realpath(path))
    made = [folder for folder in real.parents if not folder.exists()]
    real.parent.mkdir(parents=True, exist_ok=True)
    status = real.stat() if real.exists() else None
    if status and not status.st_mode & stat.S_IWUSR:
        raise Unfit("it is read-only")
    number, temporary = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        if status:
            Path(temporary).chmod(stat.S_IMODE(status.st_mode))
            if hasattr(os, "chown"):
                with suppress(OSError):  # only root may give files away
                    os.chown(temporary, status.st_uid, status.st_gid)
        else:
            Path(temporary).chmod(0o600)
        if before is not None and keep_first:
            _keep(real, before)
        # As late as can be: some clients write their file all the time.
        if read(real) != before:
            raise Changed
        Path(temporary).replace(real)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return made


def remove(path: Path, made: list[Path]) -> None:
    """Remove a file, and the folders that were made for it as far as they are empty."""
    Path(os.path.realpath(path)).unlink(missing_ok=True)
    for folder in made:
        with suppress(OSError):  # something else is in it
            folder.rmdir()


def backup_of(path: Path) -> Path:
    """Return where the first version of a file is kept."""
    real = Path(os.path.realpath(path))
    return real.with_name(real.name + _BACKUP)


def forget_backup(path: Path, text: str) -> None:
    """Remove the kept version of a file if the file is as it was."""
    backup = backup_of(path)
    with suppress(FileNotFoundError):
        if backup.read_bytes() == text.encode("utf-8"):
            backup.unlink()


def _keep(real: Path, before: str) -> None:
    backup = backup_of(real)
    if backup.exists():
        return
    # Who may read the file may read its copy; it may hold keys.
    with os.fdopen(os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(before.encode("utf-8"))
