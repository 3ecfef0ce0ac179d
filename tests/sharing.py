"""What takes long to make, made once for all workers of pytest-xdist."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def made_once(base: Path, name: str, make: Callable[[Path], object]) -> Path:
    """Folder that is made by whichever worker asks for it first, while the others wait.

    Parameters
    ----------
    base : path
        The session's temporary folder (``tmp_path_factory.getbasetemp()``); workers have theirs side by side.
    name : str
        Name of the folder, which is read only: a test that changes anything takes a copy.
    make : callable
        Fills the empty folder that it is given.
    """
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    made = folder.with_suffix(".made")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder
