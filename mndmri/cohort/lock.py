"""One run at a time in a folder of results.

Snakemake locks the folder in which it is started. Two runs from two such folders, or machines, into one
folder of results would each make what the other is making.
"""

import atexit
import os
import socket
import tempfile
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from mndmri.io import InputError, read_json, write_json

LOCK = ".running.json"
# A run says so often that it is still there; one of another machine is over when it has not for so long. Seconds
_EVERY, _OVER = 60.0, 900.0
_SAME_START = 2.0  # seconds between two readings of when a process began
_ATTEMPTS = 3


def lock_results(folder: str | Path, *, inherit: bool = False) -> None:
    """Keep a folder of results for this process, until it ends.

    A lock whose process is over, on this machine, is taken over; so is one of another machine
    that has not been renewed for a quarter of an hour.

    Parameters
    ----------
    folder : path
    inherit : bool
        Whether to take over the lock of the process that started this one and waits for it.

    Raises
    ------
    InputError
        If another run is writing there; it says which.
    """
    path = Path(folder, LOCK)
    path.parent.mkdir(parents=True, exist_ok=True)
    own = {"pid": os.getpid(), "began": psutil.Process().create_time(), "host": _machine()}
    own["since"] = datetime.now().isoformat(timespec="seconds")
    if inherit:
        write_json(own, path)
    for _ in range(_ATTEMPTS):
        if inherit or _create(own, path):
            break
        other = _read(path)
        if _runs(other, path):
            machine = str(other.get("host")).split()[0]
            raise InputError(
                f"output_dir: another run is writing into {folder} (process {other.get('pid')} on {machine}, since "
                f"{other.get('since')}); wait for its end, or choose another output_dir. If that run is surely over, "
                f"remove {path}"
            )
        path.unlink(missing_ok=True)
    else:
        raise InputError(f"output_dir: {path} is being made by another run; wait for its end")
    over = threading.Event()
    threading.Thread(target=_renew, args=(path, over), daemon=True).start()
    atexit.register(_release, own, path, over)


def _machine() -> str:
    """Name of the machine, and which of its starts and containers this is: a pid means something within these alone."""
    known = [socket.gethostname()]
    for read in (
        lambda: Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
        lambda: str(Path("/proc/self/ns/pid").readlink()),
    ):
        with suppress(OSError):
            known.append(read())
    return " ".join(known)


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
    if other.get("host") == _machine():
        try:
            began = psutil.Process(int(other["pid"])).create_time()
            # a number is given again to a later process
            return abs(began - float(other["began"])) < _SAME_START
        except psutil.AccessDenied:
            return True
        except (psutil.Error, KeyError, TypeError, ValueError):
            return False
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
