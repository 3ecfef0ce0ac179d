"""A look now and then at a run that goes on: a line on the terminal, and a page in the results."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from mndmri.cohort.progress import (
    RUNNING,
    Task,
    duration,
    measured_seconds,
    people_by_stage,
    progress_line,
    study_jobs,
    time_left,
)
from mndmri.io import write_text

PAGE = "status.html"
GOING = "running"
# With 23,000 jobs of 1,000 people a look takes 0.25 CPU s.
_LOOK_S = 15.0
# A line at the earliest, and after a tenth of the work, and at the latest, s after the one before.
_SOONEST_S, _LATEST_S = 30.0, 600.0
_PAGES = {
    "quality control": "qc/index.html",
    "report": "group/report.html",
    "motor band reader": "reader/cohort.html",
}
_log = logging.getLogger(__name__)


class Watch:
    """Looks at a run from a thread of its own. Whatever goes wrong in it, the run goes on without it.

    Parameters
    ----------
    tasks : sequence of Task
        What the run has to do, each after those that it needs.
    look : callable
        States of the tasks now, and the failed jobs as ``job, reason, log``.
    say : callable
        Takes a line for the terminal.
    results : path
        The study's folder; ``status.html`` and the benchmarks lie in it.
    place : path
        Folder of the pages that the run makes, in ``results``: that of a part of the study if it makes one.
    stages : mapping
        Stage to the participants who have it.
    at_once : int
        How many jobs run at once.
    title, version : str
        Of the study and of the program.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        look: Callable[[], tuple[Sequence[str], Sequence[Mapping[str, str]]]],
        say: Callable[[str], object],
        *,
        results: str | Path,
        place: str | Path,
        stages: Mapping[str, Collection[str]],
        at_once: int,
        title: str,
        version: str,
    ) -> None:
        self._tasks, self._look, self._say = tasks, look, say
        self._results, self._place, self._stages, self._at_once = Path(results), Path(place), stages, at_once
        self._shown = {"title": title, "version": version}
        self._began, self._ended = time.monotonic(), threading.Event()
        self._said = self._began
        self._tenths = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def end(self, state: str) -> None:
        """Look for the last time, and say on the page how the run ended."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_LOOK_S)
        self._try(state)

    def _run(self) -> None:
        self._try(GOING)
        while not self._ended.wait(_LOOK_S):
            self._try(GOING)

    def _try(self, state: str) -> None:
        try:
            self.tell(state)
        except Exception:  # a page on a run must not stop it
            _log.debug("no look at the progress", exc_info=True)

    def tell(self, state: str) -> None:
        """Write the page, and say a line after each tenth of the work."""
        states, failed = self._look()
        now = time.monotonic()
        measured = measured_seconds(self._results / "benchmarks")
        rest = time_left(self._tasks, states, measured, at_once=self._at_once, elapsed_s=now - self._began)
        table = people_by_stage(self._tasks, states, self._stages)
        self._write(state, states, failed, table, duration(rest.seconds) if state == GOING else "")
        tenths = int(10 * rest.share_done)
        quiet_s = now - self._said
        if state == GOING and (quiet_s > _LATEST_S or (tenths > self._tenths and quiet_s > _SOONEST_S)):
            self._say(progress_line(table, self._tasks, states, rest))
            self._tenths, self._said = tenths, now

    def _write(
        self,
        state: str,
        states: Sequence[str],
        failed: Sequence[Mapping[str, str]],
        table: Mapping[str, Mapping[str, str]],
        left: str,
    ) -> None:
        from mndmri.report.status import status_page  # not at each parse of the workflow

        pages = {name: self._place / path for name, path in _PAGES.items()}
        running = [
            f"{task.rule} of {task.who}" if task.who else task.rule
            for task, own in zip(self._tasks, states, strict=True)
            if own == RUNNING
        ]
        page = status_page(
            state=state,
            written=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            left=left,
            stages=table,
            study=study_jobs(self._tasks, states),
            running=running,
            failed=failed,
            links={name: str(path.relative_to(self._results)) for name, path in pages.items() if path.exists()},
            **self._shown,
        )
        write_text(page, self._results / PAGE)
