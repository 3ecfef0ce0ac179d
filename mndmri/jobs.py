"""What every script does first: a log, one thread count for all libraries, no calls home.

A job that has begun and not ended leaves a note of itself beside its log
(``<log>.unfinished.json``). The note goes when the job succeeds, and keeps the error
when it does not, also if the process was killed: so the participants that a group
table has to do without are known, with the reason, however a job came to its end.
"""

import atexit
import ctypes
import errno
import logging
import os
import re
import resource
import sys
import threading
import traceback
import zlib
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import psutil

from mndmri.io import InputError, read_json, read_text, write_json
from mndmri.units import unit_of

# Parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_LOOK_S = 1.0  # how often a job looks whether the run that started it is still there


def start_job(snakemake: Any) -> logging.Logger:
    """Logger of a script, after its environment has been set up.

    Standard output and error are redirected at the level of file descriptors, because
    ANTs prints from C++; a failure is also reported on the terminal, in one line.

    Parameters
    ----------
    snakemake : object
        The object that Snakemake gives a script: ``rule``, ``wildcards``, ``threads``, ``log``.
    """
    log_path = Path(snakemake.log[0])
    log_path.parent.mkdir(parents=True, exist_ok=True)
    # ITK reads its variable once, at its first operation; torch and BLAS at import
    for variable in ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(snakemake.threads)
    os.environ["NIPYPE_NO_ET"] = "1"  # nipype's version check goes to the network otherwise
    os.environ["MPLBACKEND"] = "agg"
    _keep_memory()

    terminal = os.dup(2)
    with log_path.open("w", encoding="utf-8") as log_file:
        os.dup2(log_file.fileno(), 1)
        os.dup2(log_file.fileno(), 2)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    _leave_a_note(_note(log_path), snakemake, terminal)
    _end_with_the_run()
    log = logging.getLogger(snakemake.rule)
    atexit.register(_say_cost, log)
    return log


class Cost(NamedTuple):
    """What a job used, with its children."""

    cpu_s: float
    """Seconds of CPU, in user and system mode, imports included."""
    peak_mb: float
    """Largest resident memory of one process, MB (2^20 bytes)."""


_COST = "CPU %.1f s, peak memory %.0f MB"


def _say_cost(log: logging.Logger) -> None:
    """Write into the log what the job has used: after 15 s Snakemake's benchmarks look every half minute only."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu_s = sum(used.ru_utime + used.ru_stime for used in (own, children))
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kB elsewhere
    log.info(_COST, cpu_s, max(_own_peak_mb(own.ru_maxrss / unit), children.ru_maxrss / unit))


def _own_peak_mb(counted_mb: float) -> float:
    """Largest memory of this process; ``counted_mb`` may be that of the one that started it, before this began."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**10
    return counted_mb


def cost_of_job(log: str | Path) -> Cost:
    """What a job used that has ended, from its log.

    Parameters
    ----------
    log : path

    Raises
    ------
    InputError
        If the log does not say: the job has not ended, or was killed.
    """
    said = re.findall(r"CPU ([0-9.]+) s, peak memory ([0-9]+) MB", read_text(log))
    if not said:
        raise InputError(f"{log} does not say what its job used; the job has not ended, or was killed")
    cpu_s, peak_mb = said[-1]
    return Cost(float(cpu_s), float(peak_mb))


def _keep_memory() -> None:
    """Let the process keep the memory of arrays that it has done with, for the next ones.

    Given back and fetched anew page by page, as glibc does with large blocks, it took a quarter of a job's time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(_MMAP_THRESHOLD, 2**30)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)


def _end_with_the_run() -> None:
    """End this process when the Snakemake that started it is gone: nobody waits for what it would still write."""
    above = psutil.Process().parents()
    # not a shell in between, whose command names the script's folder
    run = next((own for own in above if any(Path(word).name == "snakemake" for word in _command_of(own))), None)
    if run is not None:
        threading.Thread(target=_watch, args=(run,), daemon=True).start()


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _watch(run: psutil.Process) -> None:
    asleep = threading.Event()
    with suppress(psutil.NoSuchProcess):
        while run.is_running() and run.status() != psutil.STATUS_ZOMBIE:
            asleep.wait(_LOOK_S)
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    os._exit(1)


def _leave_a_note(note: Path, snakemake: Any, terminal: int) -> None:
    """Write the note, and arrange for it to be completed or removed."""
    wildcards = dict(snakemake.wildcards.items())
    write_json({"reason": "the job was stopped before its end (killed, or out of memory)", "stopped": True}, note)
    failed = False

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        nonlocal failed
        failed = True
        message = describe_error(error)
        who = f"{unit_of(wildcards)}: " if "subject" in wildcards else ""
        line = message if message.startswith(who) else who + message
        # the terminal first: where a disk is full, the others fail
        for say in (
            lambda: os.write(terminal, f"{snakemake.rule}: {line}\n".encode()),
            lambda: traceback.print_exception(kind, error, trace),
            lambda: write_json({"reason": message, "stopped": isinstance(error, KeyboardInterrupt)}, note),
        ):
            with suppress(OSError):
                say()

    def clear() -> None:
        if not failed:
            note.unlink(missing_ok=True)

    sys.excepthook = tell
    atexit.register(clear)


def describe_error(error: BaseException) -> str:
    """An error as a sentence; one of reading an image or of writing names the file, which the error itself may not."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _NO_SPACE:
        return f"the disk is full, or a quota is used up ({error}); make room, and start the run again"
    path = _image_being_read(error)
    if path is not None and isinstance(error, OSError | EOFError | zlib.error | ValueError):
        return f"{path} is damaged or incomplete ({error}); remove it, and start the run again, or restore it"
    return f"{type(error).__name__}: {error}"


def _image_being_read(error: BaseException) -> str | None:
    """File of the image whose voxels were being read when an error was raised."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        path = getattr(frame.f_locals.get("self"), "file_like", None)  # nibabel's ArrayProxy
        if path is not None:
            return str(path)
    return None


class End(NamedTuple):
    """How a job came to its end that did not end well."""

    reason: str
    stopped: bool
    """Whether it was stopped from outside, so that it may end well the next time."""


def bad_end(log: str | Path, *, since: float = 0.0) -> End:
    """How the failed job that writes a log came to its end.

    Parameters
    ----------
    log : path
    since : float
        When the run began, seconds of the epoch: an older note is of an earlier one.
    """
    note = _note(Path(log))
    if not note.exists() or note.stat().st_mtime < since:
        return End(f"the job ended before it could say why (it could not start, or its machine failed): {log}", True)
    content = read_json(note)
    return End(content["reason"], content["stopped"])


def _note(log: Path) -> Path:
    """Where the note of an unfinished job lies: beside its log."""
    return log.with_name(log.name + ".unfinished.json")
