"""Case numbers: the same for the same person, in an order that tells nothing."""

from itertools import pairwise

from mndmri.tables.cases import FIRST_CASE, N_CASES, case_key, number_cases

PEOPLE = [f"sub-{n:03d}" for n in range(300)]


def test_numbers_are_six_digits_each_once_in_rising_order():
    cases = number_cases(PEOPLE, seed=1)
    assert sorted(cases) == PEOPLE
    assert list(cases.values()) == sorted(set(cases.values()))
    assert min(cases.values()) >= FIRST_CASE and max(cases.values()) < FIRST_CASE + N_CASES


def test_numbers_stay_when_people_are_added_and_change_with_the_seed():
    few, all_people = number_cases(PEOPLE[:200], seed=1), number_cases(PEOPLE, seed=1)
    assert all(all_people[who] == number for who, number in few.items())
    other = number_cases(PEOPLE, seed=2)
    assert sum(all_people[who] == other[who] for who in PEOPLE) == 0


def test_order_of_cases_is_not_that_of_the_table():
    order = [int(who[4:]) for who in number_cases(PEOPLE, seed=1)]
    ranks = sum(a < b for a, b in pairwise(order)) / (len(order) - 1)
    assert 0.4 < ranks < 0.6
    assert len(set(order[:150]) & set(range(150))) < 100


def test_people_who_share_a_number_get_two(monkeypatch):
    monkeypatch.setattr("mndmri.tables.cases.N_CASES", 300)
    assert len(set(number_cases(PEOPLE, seed=1).values())) == 300


def test_key_names_case_and_participant():
    key = case_key({"sub-02": 123456})
    assert key[["case", "participant_id"]].to_numpy().tolist() == [[123456, "sub-02"]]
    assert key["session"].isna().all()
