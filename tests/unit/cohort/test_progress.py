"""Progress of a run: who is where, and how long the rest takes, by times that are known."""

import pytest

from mndmri.cohort.progress import (
    DONE,
    FAILED,
    RUNNING,
    WAITING,
    Task,
    duration,
    expected_seconds,
    measured_seconds,
    people_by_stage,
    progress_line,
    time_left,
)

# Two people with two jobs of T1w and one of diffusion, and one of the study that needs all.
TASKS = [
    Task("preprocess_t1w", "sub-01", "t1w", []),
    Task("segment_t1w", "sub-01", "t1w", [0]),
    Task("fit_tensor", "sub-01", "dwi", [1]),
    Task("preprocess_t1w", "sub-02", "t1w", []),
    Task("segment_t1w", "sub-02", "t1w", [3]),
    Task("fit_tensor", "sub-02", "dwi", [4]),
    Task("gather_measures", "", "gather_measures", [2, 5]),
]
TIMES = {"preprocess_t1w": 100.0, "segment_t1w": 200.0, "fit_tensor": 50.0, "gather_measures": 10.0}
STAGES = {"t1w": ["sub-01", "sub-02", "sub-03"], "dwi": ["sub-01", "sub-02"]}


def left(states, *, at_once=1, elapsed_s=0.0, measured=TIMES):
    return time_left(TASKS, states, measured, at_once=at_once, elapsed_s=elapsed_s)


def test_on_one_core_the_rest_takes_the_sum_of_its_jobs():
    assert left([WAITING] * 7).seconds == 710
    assert left([DONE, RUNNING, *[WAITING] * 5]).seconds == pytest.approx(710 - 100 - 100)


def test_on_many_cores_it_takes_the_longest_chain_of_jobs():
    assert left([WAITING] * 7, at_once=2).seconds == 360
    assert left([WAITING] * 7, at_once=100).seconds == 360


def test_what_needs_a_failed_job_takes_no_time():
    states = [FAILED, WAITING, WAITING, DONE, DONE, WAITING, WAITING]
    assert left(states).seconds == 50  # not the group's, which needs sub-01 too
    assert left(states).share_done == 300 / 350  # and is no part of the work
    assert left([FAILED, WAITING, WAITING, DONE, DONE, DONE, WAITING]).share_done == 1


def test_after_a_tenth_of_the_work_the_pace_of_the_run_counts():
    states = [DONE, WAITING, WAITING, DONE, WAITING, WAITING, WAITING]
    # 200 s of work took 400 s: the other 510 take 1020
    assert left(states, at_once=4, elapsed_s=400).seconds == pytest.approx(1020)
    assert left([WAITING] * 7, at_once=2, elapsed_s=400).seconds == 360


def test_rules_without_a_time_are_guessed_at_the_pace_of_this_study():
    stored = expected_seconds(["preprocess_t1w", "segment_t1w"], {})
    found = expected_seconds(["preprocess_t1w", "segment_t1w"], {"preprocess_t1w": 3 * stored["preprocess_t1w"]})
    assert found["segment_t1w"] == pytest.approx(3 * stored["segment_t1w"])
    assert not left([WAITING] * 7, measured={}).measured


def test_times_are_read_from_the_benchmarks_and_half_written_ones_are_passed_over(tmp_path):
    texts = {
        "sub-01": "s\th:m:s\n10.0\t0:00:10\n",
        "sub-02": "s\n30\n",
        "sub-03": "s\th:m:s\n",
        "sub-04": "",
        "sub-05": "s\n-\n",
    }
    for rule in ("fit_tensor", "track_cst"):
        (tmp_path / rule).mkdir()
    for name, text in texts.items():
        (tmp_path / "fit_tensor" / f"{name}.tsv").write_text(text)
    assert measured_seconds(tmp_path) == {"fit_tensor": 20.0}
    assert measured_seconds(tmp_path / "none") == {}


def test_everybody_stands_somewhere_in_each_stage():
    states = [DONE, WAITING, WAITING, FAILED, WAITING, WAITING, WAITING]
    assert people_by_stage(TASKS, states, STAGES) == {
        # sub-01 is between two jobs; sub-03 has nothing left to do
        "t1w": {"sub-01": RUNNING, "sub-02": FAILED, "sub-03": DONE},
        "dwi": {"sub-01": WAITING, "sub-02": WAITING},
    }


def test_the_line_counts_people_and_not_steps():
    states = [DONE, DONE, RUNNING, FAILED, WAITING, WAITING, WAITING]
    table = people_by_stage(TASKS, states, STAGES)
    line = progress_line(table, TASKS, states, left(states, measured={}))
    assert line == (
        "Progress: participants done: t1w 2 of 3, dwi 0 of 2; group 0 of 1 steps; 1 job running; 1 job failed; "
        "about a minute left (by the times of other people)"
    )


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (5, "about a minute"),
        (89, "about a minute"),
        (300, "about 5 min"),
        (1500, "about 20 min"),
        (3600, "about 1 h"),
        (3600 + 1260, "about 1 h 20 min"),
        (3 * 3600 - 20, "about 3 h"),
        (13.6 * 3600, "about 14 h"),
    ],
)
def test_a_time_is_as_exact_as_it_is_known(seconds, said):
    assert duration(seconds) == said
