"""One run at a time in a folder of results.

Snakemake locks the folder in which it is started. Two runs from two such folders, or machines, into one
folder of results would each make what the other is making.
"""

import atexit
import os
import socket
import tempfile
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from mndmri.io import InputError, read_json, write_json

LOCK = ".running.json"
# A run says so often that it is still there; one of another machine is over when it has not for so long. Seconds
_EVERY, _OVER = 60.0, 900.0


def lock_results(folder: str | Path) -> None:
    """Keep a folder of results for this process, until it ends.

    A lock whose process is over, on this machine, is taken over; so is one of another machine
    that has not been renewed for a quarter of an hour.

    Raises
    ------
    InputError
        If another run is writing there; it says which.
    """
    path = Path(folder, LOCK)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now().isoformat(timespec="seconds")}
    for _ in range(2):
        if _create(own, path):
            break
        other = _read(path)
        if _runs(other, path):
            raise InputError(
                f"output_dir: another run is writing into {folder} (process {other.get('pid')} on "
                f"{other.get('host')}, since {other.get('since')}); wait for its end, or choose another output_dir. "
                f"If that run is surely over, remove {path}"
            )
        path.unlink(missing_ok=True)
    over = threading.Event()
    threading.Thread(target=_renew, args=(path, over), daemon=True).start()
    atexit.register(_release, own, path, over)


def _create(own: dict[str, Any], path: Path) -> bool:
    """Write the lock complete, or not at all where there is one."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as place:
        write_json(own, Path(place, LOCK))
        try:
            os.link(Path(place, LOCK), path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            try:
                path.open("x").close()
            except FileExistsError:
                return False
            write_json(own, path)
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except InputError:  # gone meanwhile, or half written by a machine that went down
        return {}
    return content if isinstance(content, dict) else {}


def _runs(other: dict[str, Any], path: Path) -> bool:
    """Whether the process that wrote a lock can be taken to be there still."""
    if other.get("host") == socket.gethostname():
        try:
            began = psutil.Process(int(other["pid"])).create_time()
        except (psutil.Error, KeyError, TypeError, ValueError):
            return False
        # a number is given again to a later process
        return bool(datetime.fromtimestamp(began) <= datetime.fromisoformat(str(other["since"])))
    try:
        renewed = path.stat().st_mtime
    except FileNotFoundError:
        return False
    with tempfile.TemporaryFile(dir=path.parent) as now:  # by the clock of the file system
        return os.fstat(now.fileno()).st_mtime - renewed < _OVER


def _renew(path: Path, over: threading.Event) -> None:
    while not over.wait(_EVERY):
        try:
            os.utime(path)
        except OSError:
            return


def _release(own: dict[str, Any], path: Path, over: threading.Event) -> None:
    over.set()
    if os.getpid() == own["pid"] and _read(path) == own:
        path.unlink(missing_ok=True)
