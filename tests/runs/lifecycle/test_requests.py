import pytest
from django.db import IntegrityError, OperationalError

from runs import lifecycle
from runs.errors import InvalidOption
from runs.lifecycle import requests
from runs.models import Idempotency, Run, Source

pytestmark = pytest.mark.django_db


def make():
    return lifecycle.trigger("hello", "1", source=Source.API)


def test_the_second_request_gets_the_first_ones_run():
    first = requests.once("hello", "r1", make)
    assert requests.once("hello", "r1", make) == lifecycle.Triggered(first.run_id, is_cached=True)
    assert requests.once("other", "r1", make).run_id != first.run_id
    assert requests.once("hello", "r2", make).run_id != first.run_id


def test_without_a_key_every_request_is_its_own():
    assert requests.once("hello", "", make).run_id != requests.once("hello", "", make).run_id
    assert not Idempotency.objects.exists()


def test_a_refused_request_is_not_remembered():
    def refuse():
        raise InvalidOption("ttl", "no")

    with pytest.raises(InvalidOption):
        requests.once("hello", "r1", refuse)
    assert requests.once("hello", "r1", make).is_cached is False


def test_a_day_later_the_request_is_new(time_machine):
    time_machine.move_to("2030-01-01T00:00:00Z", tick=False)
    first = requests.once("hello", "r1", make)
    time_machine.move_to("2030-01-02T00:00:01Z", tick=False)
    assert requests.once("hello", "r1", make).run_id != first.run_id


def test_of_two_at_once_one_makes_the_run(monkeypatch):
    first = requests.once("hello", "r1", make)
    answers = iter([None, lifecycle.Triggered(first.run_id, is_cached=True)])
    monkeypatch.setattr(requests, "_earlier", lambda key: next(answers))
    assert requests.once("hello", "r1", make).run_id == first.run_id
    assert Run.objects.count() == 1


def test_another_conflict_is_not_swallowed(monkeypatch):
    def conflict():
        raise IntegrityError

    with pytest.raises(IntegrityError):
        requests.once("hello", "r1", conflict)


def test_a_database_that_goes_away_meanwhile_is_all_that_the_error_tells_of(monkeypatch):
    """Not of the conflict before, which was none."""

    def twin_is_faster(key, make):
        raise IntegrityError("idempotency_one_run")

    def gone(key):
        raise OperationalError("terminating connection")

    monkeypatch.setattr(requests, "_first", twin_is_faster)
    monkeypatch.setattr(requests, "_earlier", gone)
    with pytest.raises(OperationalError) as told:
        requests.once("hello", "r1", make)
    assert told.value.__context__ is None
