import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.lifecycle import definitions, firing, schedules, sheet, ticks
from runs.lifecycle.schedules import Timetable
from runs.models import Queue, Run, Schedule, ScheduleTick, Task
from runs.states import RunStatus
from tests.support.factories import claim, complete, session, start, task, trigger
from tests.support.schedules import ME, account, fire_all, runs_of, schedule
from tests.support.threads import together

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine):
    """A clock that stands still at nine until it is moved."""

    def move(text):
        time_machine.move_to(datetime.fromisoformat(f"2030-01-01T{text}+00:00"), tick=False)
        definitions.forget()

    move("09:00:00")
    return move


def work_on(run, by=None):
    """The run executes."""
    one = claim(by or session())[0]
    assert one.run_id == run.pk
    start(one)
    return one


def test_fires_at_its_time_and_not_before(clock):
    made = schedule("30 9 * * *")
    clock("09:29:59.999")
    assert lifecycle.fire_due() == datetime(2030, 1, 1, 9, 30, tzinfo=UTC)
    assert runs_of(made) == []
    clock("09:30:00")
    assert lifecycle.fire_due() == datetime(2030, 1, 2, 9, 30, tzinfo=UTC)
    (run,) = runs_of(made)
    assert (run.status, run.task_id, run.source) == ("QUEUED", "report", "schedule")
    made.refresh_from_db()
    assert (made.last_run_id, made.last_at) == (run.pk, datetime(2030, 1, 1, 9, 30, tzinfo=UTC))
    assert account(made) == [("09:30", "fired")]


def test_a_run_takes_its_place_by_when_it_should_have_fired(clock):
    made = schedule("30 9 * * *")
    clock("09:30:01")
    trigger("report")
    clock("09:30:02")
    lifecycle.fire_due()
    assert claim(session())[0].run_id == runs_of(made)[0].pk


def test_gives_the_run_what_it_needs_to_know(clock):
    made = schedule("0 * * * *", timezone="Asia/Tokyo", external_id="user_1")
    clock("10:00:07")
    lifecycle.fire_due()
    clock("11:00:00")
    lifecycle.fire_due()
    first, second = (json.loads(run.payload) for run in runs_of(made))
    assert second == {
        "type": "IMPERATIVE",
        "timestamp": "2030-01-01T11:00:00.000Z",
        "lastTimestamp": "2030-01-01T10:00:00.000Z",
        "timezone": "Asia/Tokyo",
        "scheduleId": made.pk,
        "externalId": "user_1",
        "upcoming": [f"2030-01-01T{hour}:00:00.000Z" for hour in range(12, 17)],
    }
    assert first["lastTimestamp"] is None


def test_nothing_due_costs_one_read(django_assert_num_queries):
    made = schedule()
    with django_assert_num_queries(1):
        assert lifecycle.fire_due() == made.next_at


def test_a_switched_off_schedule_does_not_fire(clock):
    made = schedule()
    schedules.deactivate(made.pk, actor=ME)
    clock("10:00:00")
    assert lifecycle.fire_due() is None
    assert runs_of(made) == []


def test_many_at_once_cost_a_few_statements(clock, django_assert_max_num_queries):
    for number in range(60):
        schedule(external_id=str(number))
    clock("10:00:00")
    with django_assert_max_num_queries(25):
        lifecycle.fire_due()
    assert Run.objects.count() == ScheduleTick.objects.count() == 60


def test_more_than_a_batch_is_done_in_several(clock, monkeypatch):
    monkeypatch.setattr(firing, "BATCH", 2)
    for _ in range(5):
        schedule()
    clock("10:00:00")
    assert lifecycle.fire_due() <= timezone.now()
    fire_all()
    assert Run.objects.count() == 5


# -- fires nobody made ----------------------------------------------------------------------------


def test_a_late_fire_is_made_within_the_grace(clock):
    made = schedule()
    clock("10:00:59")
    lifecycle.fire_due()
    assert account(made) == [("10:00", "fired")]


@pytest.mark.parametrize(
    ("catch_up", "expected", "runs"),
    [
        ("skip", [("10:00", "missed x 3")], []),
        ("latest", [("10:00", "missed x 2"), ("12:00", "fired")], ["12:00"]),
        ("all", [("10:00", "fired"), ("11:00", "fired"), ("12:00", "fired")],
         ["10:00", "11:00", "12:00"]),
    ],
)  # fmt: skip
def test_fires_of_an_outage(clock, catch_up, expected, runs):
    made = schedule(catch_up=catch_up)
    clock("12:30:00")
    lifecycle.fire_due()
    assert account(made) == expected
    assert [json.loads(run.payload)["timestamp"][11:16] for run in runs_of(made)] == runs
    made.refresh_from_db()
    assert made.next_at == datetime(2030, 1, 1, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize("catch_up", ["skip", "latest", "all"])
def test_every_fire_within_the_grace_is_made(clock, settings, catch_up):
    settings.TRACKSIDE = settings.TRACKSIDE | {"SCHEDULE_GRACE_SECONDS": 600.0}
    made = schedule("* * * * *", catch_up=catch_up)
    clock("09:05:30")
    fire_all()
    assert account(made) == [(f"09:0{minute}", "fired") for minute in range(1, 6)]
    assert len(runs_of(made)) == 5


@pytest.mark.parametrize("catch_up", ["skip", "latest"])
def test_the_fire_on_time_ends_an_outage(clock, catch_up):
    made = schedule(catch_up=catch_up)
    clock("12:00:20")
    lifecycle.fire_due()
    assert account(made) == [("10:00", "missed x 2"), ("12:00", "fired")]
    assert "No cluster was running." in ScheduleTick.objects.order_by("at")[0].reason


def test_each_made_up_fire_knows_the_one_before(clock):
    made = schedule(catch_up="all")
    clock("12:30:00")
    lifecycle.fire_due()
    assert [(json.loads(run.payload)["lastTimestamp"] or "")[11:16] for run in runs_of(made)] == [
        "", "10:00", "11:00",
    ]  # fmt: skip


@pytest.mark.parametrize("minutes", [1, 100, 10_000])
@pytest.mark.parametrize("catch_up", ["skip", "latest", "all"])
def test_an_outage_of_any_length_is_bounded(clock, time_machine, minutes, catch_up):
    made = schedule("* * * * *", catch_up=catch_up)
    last = datetime(2030, 1, 1, 9, 0, tzinfo=UTC) + timedelta(minutes=minutes)
    time_machine.move_to(last + timedelta(seconds=61), tick=False)
    Schedule.objects.filter(pk=made.pk).update(next_at=datetime(2030, 1, 1, 9, 1, tzinfo=UTC))
    lifecycle.fire_due()
    caught_up = {"skip": 1, "latest": 1, "all": min(minutes + 1, sheet.MADE_UP)}[catch_up]
    assert Run.objects.count() == caught_up
    assert sum(ScheduleTick.objects.values_list("count", flat=True)) == minutes + 1


def test_two_outages_in_a_row_share_a_line(clock):
    made = schedule()
    for time in ("10:30:00", "11:30:00"):
        clock(time)
        lifecycle.fire_due()
    assert account(made) == [("10:00", "missed x 2")]
    assert ScheduleTick.objects.get().until == datetime(2030, 1, 1, 11, 0, tzinfo=UTC)


def test_a_cluster_that_was_there_but_late_is_named(clock):
    here = session()
    made = schedule()
    clock("10:30:00")
    type(here).objects.filter(pk=here.pk).update(heartbeat_at=timezone.now())
    lifecycle.fire_due()
    assert "too late" in ScheduleTick.objects.get(schedule=made).reason


# -- tasks that cannot run ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "reason"),
    [({"active": False}, "No cluster had the task"), ({"broken": True}, "failed to import")],
)
def test_a_task_that_is_not_there_misses(clock, facts, reason):
    made = schedule(catch_up="all")
    Task.objects.update(**facts)
    for time in ("10:00:00", "11:00:00"):
        clock(time)
        lifecycle.fire_due()
    assert account(made) == [("10:00", "missed x 2")]
    assert reason in ScheduleTick.objects.get().reason
    made.refresh_from_db()
    assert (made.last_at, runs_of(made)) == (None, [])


def test_a_run_that_cannot_be_made_is_refused_and_the_others_go_on(clock):
    task("strict")
    strict, fine = schedule(task_id="strict"), schedule()
    Task.objects.filter(pk="strict").update(schema='{"type": "array"}')
    lost = schedule(task_id=task("lost", queue="gone").pk)
    Queue.objects.filter(name="gone").delete()
    clock("10:00:00")
    lifecycle.fire_due()
    assert [account(made) for made in (strict, fine, lost)] == [
        [("10:00", "refused")], [("10:00", "fired")], [("10:00", "refused")],
    ]  # fmt: skip
    assert "is not of type" in ScheduleTick.objects.get(schedule=strict).reason
    assert "no queue named" in ScheduleTick.objects.get(schedule=lost).reason
    strict.refresh_from_db()
    assert (strict.last_at, strict.next_at.hour) == (None, 11)


def test_one_that_fails_in_an_unforeseen_way_does_not_hold_up_the_others(clock, monkeypatch):
    made = [schedule(external_id=str(number)) for number in range(3)]

    def fail(row, at, of):
        if row.external_id == "1":
            raise ZeroDivisionError("unforeseen")
        return payload(row, at, of)

    payload = ticks.payload
    monkeypatch.setattr(ticks, "payload", fail)
    clock("10:00:00")
    lifecycle.fire_due()
    assert [account(one) for one in made] == [
        [("10:00", "fired")], [("10:00", "refused")], [("10:00", "fired")],
    ]  # fmt: skip
    assert "unforeseen" in ScheduleTick.objects.get(schedule=made[1]).reason
    assert lifecycle.fire_due() == datetime(2030, 1, 1, 11, 0, tzinfo=UTC)


def test_a_zone_that_is_gone_stops_the_schedule_and_says_so(clock):
    made, other = schedule(), schedule()
    Schedule.objects.filter(pk=made.pk).update(timezone="Europe/Atlantis")
    clock("10:00:00")
    lifecycle.fire_due()
    made.refresh_from_db()
    assert (made.next_at, account(made)) == (None, [("10:00", "refused")])
    assert account(other) == [("10:00", "fired")]


# -- clocks ---------------------------------------------------------------------------------------


def test_a_clock_set_back_fires_nothing_again(clock):
    made = schedule()
    clock("10:00:00")
    lifecycle.fire_due()
    clock("09:59:00")
    changed = Timetable(task_id="report", cron="*/30 * * * *")
    assert schedules.update(made.pk, changed, actor=ME).next_at.minute == 30
    clock("10:00:30")
    lifecycle.fire_due()
    assert account(made) == [("10:00", "fired")]
    Schedule.objects.update(next_at=datetime(2030, 1, 1, 10, 0, tzinfo=UTC))
    lifecycle.fire_due()
    assert len(runs_of(made)) == 1


def test_a_skipped_hour_and_a_repeated_one(time_machine):
    berlin = "Europe/Berlin"
    spring, autumn = datetime(2030, 3, 31, tzinfo=UTC), datetime(2030, 10, 27, tzinfo=UTC)
    time_machine.move_to(spring, tick=False)
    made = schedule("30 2 * * *", timezone=berlin, catch_up="all")
    for moment in (spring + timedelta(hours=3), autumn, autumn + timedelta(hours=3)):
        time_machine.move_to(moment, tick=False)
        lifecycle.fire_due()
    ticks = ScheduleTick.objects.filter(schedule=made, outcome="fired")
    of_those_days = [tick for tick in ticks if tick.at.date() in (spring.date(), autumn.date())]
    assert [f"{tick.at:%m-%d %H:%M}" for tick in of_those_days] == ["03-31 01:00", "10-27 00:30"]


# -- overlap --------------------------------------------------------------------------------------


def hourly(clock, made, *hours):
    for hour in hours:
        clock(f"{hour}:00:00")
        lifecycle.fire_due()


def test_a_window_moves_the_fire_and_not_what_the_run_is_told(clock):
    made = schedule("0 11 * * *", window="50%")
    comes = made.next_at
    named = comes.replace(hour=11, minute=0, second=0)
    assert named < comes < named + timedelta(hours=12)
    clock(f"{named:%H:%M:%S}")
    fire_all()
    assert runs_of(made) == []
    clock(f"{comes:%H:%M:%S}")
    fire_all()
    (run,) = runs_of(made)
    payload = json.loads(run.payload)
    assert payload["timestamp"] == f"{named:%Y-%m-%dT%H:%M:%S}.000Z"
    assert payload["upcoming"][0] == f"{named + timedelta(days=1):%Y-%m-%dT%H:%M:%S}.000Z"
    made.refresh_from_db()
    assert (made.last_at, made.next_at) == (named, comes + timedelta(days=1))
    assert account(made) == [(f"{comes:%H:%M}", "fired")]


def test_allow_lets_runs_overlap(clock):
    made = schedule(overlap="allow")
    hourly(clock, made, 10, 11)
    assert len(runs_of(made)) == 2


def test_skip_leaves_fires_out_while_a_run_is_open(clock):
    made = schedule(overlap="skip")
    hourly(clock, made, 10)
    one = work_on(runs_of(made)[0])
    hourly(clock, made, 11, 12)
    complete(one)
    hourly(clock, made, 13)
    assert account(made) == [("10:00", "fired"), ("11:00", "skipped"), ("12:00", "skipped"),
                             ("13:00", "fired")]  # fmt: skip
    assert one.run_id in ScheduleTick.objects.filter(outcome="skipped")[0].reason
    assert json.loads(runs_of(made)[-1].payload)["lastTimestamp"][11:16] == "10:00"


def test_queue_one_keeps_one_fire_until_the_run_ends(clock):
    made = schedule(overlap="queue_one")
    hourly(clock, made, 10)
    one = work_on(runs_of(made)[0])
    hourly(clock, made, 11, 12)
    assert account(made)[1:] == [("11:00", "held"), ("12:00", "skipped")]
    assert len(runs_of(made)) == 1
    complete(one)
    lifecycle.fire_due()
    assert account(made)[1:] == [("11:00", "fired"), ("12:00", "skipped")]
    assert json.loads(runs_of(made)[-1].payload)["timestamp"][11:16] == "11:00"
    lifecycle.fire_due()
    assert len(runs_of(made)) == 2


def test_cancel_previous_stops_what_waits_at_once(clock):
    made = schedule(overlap="cancel_previous")
    hourly(clock, made, 10, 11)
    first, second = runs_of(made)
    assert (first.status, second.status) == (RunStatus.CANCELED, RunStatus.QUEUED)
    assert account(made) == [("10:00", "fired"), ("11:00", "fired")]


def test_cancel_previous_starts_when_the_other_has_stopped(clock):
    made = schedule(overlap="cancel_previous")
    hourly(clock, made, 10)
    one = work_on(runs_of(made)[0])
    hourly(clock, made, 11, 12)
    assert one.run.is_canceling
    assert account(made)[1:] == [("11:00", "skipped"), ("12:00", "held")]
    complete(one)
    lifecycle.fire_due()
    assert account(made)[1:] == [("11:00", "skipped"), ("12:00", "fired")]


def test_the_task_decides_where_the_schedule_does_not(clock):
    task("report", config='{"overlap": "skip"}')
    made, own = schedule(), schedule(overlap="allow")
    hourly(clock, made, 10, 11)
    assert [one[1] for one in account(made)] == ["fired", "skipped"]
    assert [one[1] for one in account(own)] == ["fired", "fired"]


def test_a_run_by_hand_is_in_the_way_of_the_tasks_policy(clock):
    task("report", config='{"overlap": "skip"}')
    by_hand = trigger("report")
    made, own = schedule(), schedule(overlap="skip")
    hourly(clock, made, 10)
    assert account(made) == [("10:00", "skipped")]
    assert ScheduleTick.objects.get(schedule=made).reason == f"Run {by_hand.pk} was still open."
    assert Schedule.objects.get(pk=made.pk).last_at is None
    assert [one[1] for one in account(own)] == ["fired"]
    lifecycle.cancel(by_hand.pk, actor="user:ada")
    lifecycle.cancel(runs_of(own)[0].pk, actor="user:ada")
    hourly(clock, made, 11)
    assert account(made)[1:] == [("11:00", "fired")]


def test_schedules_of_one_task_are_not_in_each_others_way(clock):
    made, other = schedule(overlap="skip"), schedule(overlap="skip")
    hourly(clock, made, 10)
    assert len(runs_of(made)) == len(runs_of(other)) == 1


@pytest.mark.parametrize(
    ("overlap", "outcomes"),
    [("skip", ["fired", "skipped", "skipped"]), ("queue_one", ["fired", "held", "skipped"])],
)
def test_catching_up_obeys_the_overlap_policy(clock, overlap, outcomes):
    made = schedule(catch_up="all", overlap=overlap)
    clock("12:30:00")
    lifecycle.fire_due()
    assert [outcome for _, outcome in account(made)] == outcomes


def test_catching_up_with_cancel_previous_runs_the_last(clock):
    made = schedule(catch_up="all", overlap="cancel_previous")
    clock("12:30:00")
    fire_all()
    assert [outcome for _, outcome in account(made)] == ["fired", "skipped", "fired"]
    assert [run.status for run in runs_of(made)] == [RunStatus.CANCELED, RunStatus.QUEUED]


@pytest.mark.parametrize("change", ["off", "allow", "broken"])
def test_what_waits_when_things_change(clock, change):
    made = schedule(overlap="queue_one")
    hourly(clock, made, 10)
    one = work_on(runs_of(made)[0])
    hourly(clock, made, 11)
    if change == "off":
        schedules.deactivate(made.pk, actor=ME)
    elif change == "allow":
        wanted = Timetable(task_id="report", cron=made.cron, overlap="allow")
        schedules.update(made.pk, wanted, actor=ME)
    else:
        Task.objects.update(broken=True)
        definitions.forget()
        complete(one)
    lifecycle.fire_due()
    expected = {"off": "skipped", "allow": "fired", "broken": "missed"}[change]
    assert account(made)[-1] == ("11:00", expected)


# -- races ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_many_clusters_make_one_run_of_a_fire(clock, caplog):
    made = [schedule() for _ in range(8)]
    clock("10:00:00")
    together([fire_all] * 4)
    assert [len(runs_of(one)) for one in made] == [1] * 8
    assert ScheduleTick.objects.count() == 8
    assert not caplog.records


@pytest.mark.django_db(transaction=True)
def test_many_clusters_release_a_held_fire_once(clock):
    made = schedule(overlap="queue_one")
    hourly(clock, made, 10)
    one = work_on(runs_of(made)[0])
    hourly(clock, made, 11)
    complete(one)
    together([fire_all] * 4)
    assert account(made) == [("10:00", "fired"), ("11:00", "fired")]
    assert len(runs_of(made)) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verb", ["update", "deactivate", "delete"])
def test_a_change_at_the_very_moment_of_a_fire(clock, verb):
    """Either the fire was first, or it is never made after the change was acknowledged."""
    for round_ in range(8):
        clock(f"{round_ + 10}:00:00")
        made = schedule(f"{round_ + 1} * * * *")
        clock(f"{round_ + 10}:{round_ + 1:02}:00")
        change = {
            "update": lambda pk: schedules.update(
                pk, Timetable(task_id="report", cron="59 23 * * *"), actor=ME
            ),
            "deactivate": lambda pk: schedules.deactivate(pk, actor=ME),
            "delete": lambda pk: schedules.delete(pk, actor=ME),
        }[verb]
        together([lifecycle.fire_due, lambda pk=made.pk, change=change: change(pk)])
        count = len(runs_of(made))
        fire_all()
        assert len(runs_of(made)) == count <= 1
        if verb != "delete":
            assert account(made)[0][1] == ("fired" if count else "missed")


# -- the account as a whole -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catch_up", "day"),
    [
        ("skip", "2030-03-31"),
        ("skip", "2030-10-27"),
        ("latest", "2030-10-27"),
        ("all", "2030-03-31"),
    ],
)
def test_every_fire_has_one_fate_whoever_was_up(catch_up, day, time_machine):
    """Clusters come and go over a night in which the clocks change; each fire is told of once."""
    rhythm = random.Random(f"{catch_up} {day}")
    now = start_of_it = datetime.fromisoformat(f"{day}T00:00:00+02:00") - timedelta(hours=1)
    time_machine.move_to(now, tick=False)
    facts = {"timezone": "Europe/Berlin", "catch_up": catch_up}
    made = [schedule("*/20 * * * *", **facts), schedule("30 2 * * *", task_id="nightly", **facts)]
    up = []  # from when to when some cluster looked once a minute
    while now < start_of_it + timedelta(hours=5):
        begun = now
        for _ in range(rhythm.randint(1, 25)):
            time_machine.move_to(now, tick=False)
            lifecycle.fire_due()
            now += timedelta(seconds=60)
        up.append((begun, now))
        now += timedelta(minutes=rhythm.choice([0, 1, 25, 70]))
    time_machine.move_to(now, tick=False)
    fire_all()
    for row in made:
        named = list(row.clock.between(start_of_it, now))
        told_of = [
            fire
            for tick in ticks_of(row)
            for fire in row.clock.between(tick.at - ticks.INSTANT, tick.until)
        ]
        assert told_of == named, "each once, in order"
        runs = [json.loads(run.payload)["timestamp"] for run in runs_of(row)]
        assert len(runs) == len(set(runs))
        for fire in named:
            if any(begun <= fire < ended for begun, ended in up):
                assert ticks.moment(fire) in runs, "some cluster was up"
        assert all(tick.reason for tick in ticks_of(row) if tick.outcome == "missed")
        if catch_up == "all":
            assert runs == [ticks.moment(fire) for fire in named]


def ticks_of(row):
    return list(ScheduleTick.objects.filter(schedule=row).order_by("at"))
