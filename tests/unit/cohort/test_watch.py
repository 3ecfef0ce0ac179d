"""The look at a run: a page in the results, a line now and then, and no harm to the run."""

import pytest

from mndmri.cohort import watch
from mndmri.cohort.progress import DONE, FAILED, RUNNING, WAITING
from mndmri.cohort.watch import GOING, Watch
from tests.unit.cohort.test_progress import STAGES, TASKS

ATTACK = "<script>alert('x')</script>"


class Run:
    """A made-up run: states of the jobs, and what was said of it."""

    def __init__(self, results, states):
        self.states, self.failed, self.said = states, [], []
        self.page = results / "status.html"
        self.watch = Watch(
            TASKS,
            self.look,
            self.said.append,
            results=results,
            place=results / "parts/cst",
            stages=STAGES,
            at_once=2,
            title="A study",
            version="1.2",
        )

    def look(self):
        if self.states is None:
            raise RuntimeError("Set changed size during iteration")
        return self.states, self.failed


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "_LOOK_S", 0.05)
    monkeypatch.setattr(watch, "_SOONEST_S", 0.0)
    return Run(tmp_path, [WAITING] * 7)


def test_the_page_says_who_is_where_what_failed_and_how_it_ended(run):
    run.states = [DONE, DONE, RUNNING, FAILED, WAITING, WAITING, WAITING]
    run.failed = [{"job": "preprocess_t1w of sub-02", "reason": ATTACK, "log": "logs/preprocess_t1w/sub-02.log"}]
    run.watch.tell(GOING)
    page = run.page.read_text()
    assert "2 of 3 participants" in page and "0 of 1 steps" in page
    assert "Running now: fit_tensor of sub-01." in page
    assert "preprocess_t1w of sub-02: &lt;script&gt;" in page and "logs/preprocess_t1w/sub-02.log" in page
    assert "location.reload()" in page and ATTACK not in page
    run.watch.end("ended, with failures")
    page = run.page.read_text()
    assert "Run: ended, with failures" in page and "location.reload()" not in page


def test_pages_of_the_study_are_linked_when_they_are_there(run):
    run.watch.tell(GOING)
    assert "group/report.html" not in run.page.read_text()
    for folder in ("group", "parts/cst/group"):  # of the whole study, which this run does not make, and of its part
        (run.page.parent / folder).mkdir(parents=True)
        (run.page.parent / folder / "report.html").touch()
    run.watch.end("done")
    assert '<a href="parts/cst/group/report.html">report</a>' in run.page.read_text()
    assert '<a href="group/report.html">' not in run.page.read_text()


def test_a_line_is_said_after_each_tenth_of_the_work_and_not_at_every_look(run):
    run.watch.tell(GOING)
    run.states = [DONE, *[WAITING] * 6]
    run.watch.tell(GOING)
    before = len(run.said)
    run.states = [DONE, RUNNING, *[WAITING] * 5]
    run.watch.tell(GOING)
    assert len(run.said) == before <= 1
    run.states = [DONE, DONE, *[WAITING] * 5]
    run.watch.tell(GOING)
    assert len(run.said) == before + 1
    assert run.said[-1].startswith("Progress: participants done: t1w 2 of 3, dwi 0 of 2;")


def test_the_thread_writes_by_itself_and_what_goes_wrong_in_it_harms_nothing(run):
    run.watch.start()
    for _ in range(100):
        if run.page.exists():
            break
        run.watch._ended.wait(0.05)
    run.states = None  # as when the run changes its lists while they are read
    run.watch._ended.wait(0.2)
    run.states = [DONE] * 7
    run.watch.end("done")
    assert "Run: done" in run.page.read_text()
    run.page.unlink()
    run.page.mkdir()  # cannot be written
    run.watch.end("done")


def test_nothing_is_written_but_the_page(run, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run.watch.tell(GOING)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["elsewhere", "status.html"]
