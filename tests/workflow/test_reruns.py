"""What is made again after a change, and what is left alone."""


def test_a_finished_study_has_nothing_to_do(finished_study):
    assert finished_study.plan() == {}
