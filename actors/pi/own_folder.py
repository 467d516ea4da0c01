"""Writes the files of the service's own pi folder, each as a whole or not at all.

Used by the entry point before anything runs; `providers` says what is in them. It blocks.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_NEW = ".new"


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Bring these files of the folder, by name, to these texts, for nobody but their user to read.

    What is right already is left alone, so that a full disk does not matter to a service that was started before.
    Raises OSError, which names the file; that is then as it was.
    """
    for name, text in files.items():
        file, new = folder / name, folder / f"{name}{_NEW}"
        with suppress(FileNotFoundError):
            if file.read_bytes() == text.encode():
                file.chmod(0o600)
                continue
        try:
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as made:
                made.write(text.encode())
                made.flush()
                os.fsync(made.fileno())
            new.replace(file)
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(file)) from error
