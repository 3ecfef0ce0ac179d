"""The page of a run: what is counted, and what there is nothing to count of."""

from mndmri.report.status import status_page


def page(**changes):
    options = {
        "title": "Study",
        "state": "running",
        "written": "2026-01-01 10:00:00",
        "left": "",
        "stages": {"t1w": {"sub-01": "done", "sub-02": "waiting"}},
        "study": {"all": 5, "done": 2, "running": 1, "waiting": 2, "failed": 0},
        "running": [],
        "failed": [],
        "links": {},
        "version": "0",
    } | changes
    return status_page(**options)


def test_steps_of_the_group_are_counted():
    html = page()
    assert "2 of 5 steps" in html and "1 of 2 participants" in html


def test_a_run_without_steps_of_the_group_says_nothing_of_them():
    assert "of the group" not in page(study={"all": 0, "done": 0, "running": 0, "waiting": 0, "failed": 0})
