"""Sampling: the first request of each second, and 5 % of the others."""

from lambent.kit.clock import ManualClock
from lambent.telemetry.traces.sampling import Sampler


def test_one_a_second_and_five_percent() -> None:
    """Of what is drawn, only numbers below 0.05 are sampled."""
    clock, drawn = ManualClock(), 0.05
    sampler = Sampler(clock, lambda: drawn)
    assert sampler.decide("a")
    assert not sampler.decide("a")
    assert sampler.decide("b")
    drawn = 0.049
    assert sampler.decide("a")
    drawn = 0.5
    assert not sampler.decide("a")
    clock.advance(1)
    assert sampler.decide("a")
    assert not sampler.decide("a")


def test_all_attempts_of_an_event_have_one_decision() -> None:
    """A retry is sampled if the first attempt was."""
    clock = ManualClock()
    sampler = Sampler(clock, lambda: 0.9)
    assert sampler.decide_once("a", "first")
    assert not sampler.decide_once("a", "second")
    clock.advance(60)
    assert not sampler.decide_once("a", "second")
    assert sampler.decide_once("a", "first")


def test_many_names_are_forgotten() -> None:
    """Memory is bounded, whatever is called."""
    sampler = Sampler(ManualClock(), lambda: 0.9)
    for number in range(30_000):
        sampler.decide(number)
        sampler.decide_once("a", str(number))
    assert len(sampler._seconds) <= 10_000
    assert len(sampler._remembered) <= 10_000
