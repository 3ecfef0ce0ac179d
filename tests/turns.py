"""Slow tests in turn: a third of them a day, in an order that lets none wait for ever, while time lasts."""

import signal
from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

import pytest

File = TypeVar("File", bound=Hashable)


def turn(files: Sequence[File], day: int) -> list[File]:
    """Files of a day's third, in that day's order.

    Three days on end take all files, and each time that a third comes round another of its files is the first: in
    ``3 * len(files)`` days each has been, so that it has the whole time for itself if it needs it.
    """
    third = files[day % 3 :: 3]
    first = day // 3 % max(len(third), 1)
    return [*third[first:], *third[:first]]


class Deadline:
    """Plugin that skips what has not ended in time, in the middle of it if need be, and says why."""

    def __init__(self, minutes: float) -> None:
        self.reason = f"not run for want of time: {minutes:g} minutes are over"
        self.over = self.inside = False
        signal.signal(signal.SIGALRM, self.ring)
        signal.setitimer(signal.ITIMER_REAL, max(60 * minutes, 1e-3))

    def ring(self, *_: object) -> None:
        self.over = True
        if self.inside:
            pytest.skip(self.reason)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        return (yield from self.limited())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        return (yield from self.limited())

    def limited(self) -> Iterator[None]:
        if self.over:
            pytest.skip(self.reason)
        self.inside = True
        try:
            return (yield)
        finally:
            self.inside = False
