import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from runs import lifecycle
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import schedules
from runs.lifecycle.schedules import Timetable
from runs.models import AuditLog, Run, Schedule, ScheduleTick, Task
from tests.support.factories import task
from tests.support.schedules import ME, account, fire_all, schedule
from tests.support.threads import together

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
HOURLY = Timetable(task_id="report", cron="0 * * * *")


def audited():
    return list(AuditLog.objects.order_by("id").values_list("action", "actor", "reason"))


def at(hour, minute=0):
    return datetime(2030, 1, 1, hour, minute, tzinfo=UTC)


def test_a_new_schedule_knows_its_next_fire():
    made = schedule(" 30  9 * * *", timezone="Asia/Tokyo", external_id="user_1")
    made.refresh_from_db()
    assert made.pk.startswith("sched_")
    assert (made.cron, made.active, made.type) == ("30 9 * * *", True, "IMPERATIVE")
    assert made.next_at == datetime(2030, 1, 2, 0, 30, tzinfo=UTC)
    assert (made.external_id, made.created_by) == ("user_1", ME)
    assert audited() == [("schedule.create", ME, "")]


def test_the_same_key_changes_the_schedule():
    first = schedule(key="k", external_id="a")
    again = schedule("*/30 * * * *", key="k", external_id="b", task_id="other")
    assert (again.pk, Schedule.objects.count()) == (first.pk, 1)
    assert (again.task_id, again.external_id, again.next_at) == ("other", "b", at(9, 30))
    assert [action for action, *_ in audited()] == ["schedule.create", "schedule.update"]
    data = json.loads(AuditLog.objects.order_by("id").last().data)
    assert data["old"]["cron"] == "0 * * * *"
    assert data["new"]["cron"] == "*/30 * * * *"


def test_without_a_key_there_may_be_many():
    assert schedule().pk != schedule().pk


def test_creating_it_again_unchanged_does_not_lose_a_fire_that_is_due(clock):
    made = schedule(key="k")
    clock("10:00:00")
    schedule(key="k")
    schedule(key="k", external_id="new")
    lifecycle.fire_due()
    assert account(made) == [("10:00", "fired")]
    assert len(audited()) == 2


@pytest.mark.django_db(transaction=True)
def test_many_that_create_with_one_key_make_one():
    task("report")
    made = together([partial(schedule, key="k", external_id=str(n)) for n in range(6)])
    assert len({one.pk for one in made}) == 1
    assert Schedule.objects.count() == 1


@pytest.mark.parametrize(
    ("facts", "option", "problem"),
    [
        ({"cron": "* * *"}, "cron", "5 fields"),
        ({"cron": "0 0 31 2 *"}, "cron", "must have it"),
        ({"cron": "* * */20 * 1L"}, "cron", "never fires"),
        ({"timezone": "Europe/Atlantis"}, "timezone", "Atlantis"),
        ({"task_id": "nobody"}, "task", "No cluster has registered"),
        ({"task_id": "a\x00b"}, "task", "cannot be stored"),
        ({"overlap": "no"}, "overlap", "allow, skip"),
        ({"catch_up": "no"}, "catch_up", "skip, latest, all"),
        ({"external_id": "x" * 256}, "external_id", "at most 255"),
        ({"external_id": "\ud800"}, "external_id", "cannot be stored"),
    ],
)
def test_refuses(facts, option, problem):
    task("report")
    with pytest.raises(InvalidOption, match=problem) as refused:
        schedules.create(replace(HOURLY, **facts), actor=ME)
    assert refused.value.option == option
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("key", ["", "x" * 256, "\x00"])
def test_refuses_a_key(key):
    task("report")
    with pytest.raises(InvalidOption, match="deduplication_key"):
        schedules.create(HOURLY, deduplication_key=key, actor=ME)


def test_refuses_a_task_that_does_not_take_its_payload():
    task("report", schema='{"type": "object", "required": ["customer"]}')
    with pytest.raises(InvalidOption, match="ScheduledPayload"):
        schedules.create(HOURLY, actor=ME)


def test_a_broken_task_may_be_scheduled_a_removed_one_not():
    task("report", broken=True)
    assert schedules.create(HOURLY, actor=ME)
    Task.objects.update(broken=False, active=False)
    with pytest.raises(InvalidOption, match="registered"):
        schedules.create(HOURLY, actor=ME)


def test_an_update_moves_the_next_fire_when_its_time_changed():
    made = schedule()
    schedules.update(made.pk, replace(HOURLY, external_id="a"), actor=ME)
    made.refresh_from_db()
    assert (made.next_at, made.external_id) == (at(10), "a")
    schedules.update(made.pk, replace(HOURLY, cron="15 * * * *"), actor=ME)
    made.refresh_from_db()
    assert made.next_at == at(9, 15)


def test_what_was_due_before_a_change_is_on_record(clock):
    made = schedule()
    clock("12:30:00")
    schedules.update(made.pk, replace(HOURLY, cron="15 * * * *"), actor=ME)
    assert account(made) == [("10:00", "missed x 3")]
    assert "was changed" in ScheduleTick.objects.get().reason


def test_switched_off_and_on_again_it_begins_anew(clock):
    made = schedule()
    off = schedules.deactivate(made.pk, actor=ME, reason="holidays")
    assert (off.active, off.next_at) == (False, None)
    schedules.deactivate(made.pk, actor=ME)
    clock("12:30:00")
    fire_all()
    on = schedules.activate(made.pk, actor=ME)
    schedules.activate(made.pk, actor=ME)
    assert (on.active, on.next_at) == (True, at(13))
    assert account(made) == []
    assert audited()[1:] == [("schedule.deactivate", ME, "holidays"), ("schedule.activate", ME, "")]


def test_a_change_while_switched_off_does_not_switch_it_on():
    made = schedule()
    schedules.deactivate(made.pk, actor=ME)
    changed = schedules.update(made.pk, replace(HOURLY, cron="@daily"), actor=ME)
    assert (changed.active, changed.next_at) == (False, None)


def test_a_deleted_schedule_leaves_its_runs(clock):
    made = schedule(key="k")
    clock("10:00:00")
    fire_all()
    schedules.delete(made.pk, actor=ME, reason="moved")
    assert (Schedule.objects.count(), ScheduleTick.objects.count()) == (0, 0)
    assert Run.objects.get().schedule_id == made.pk
    assert audited()[-1] == ("schedule.delete", ME, "moved")
    assert json.loads(AuditLog.objects.order_by("id").last().data)["cron"] == "0 * * * *"


VERBS = [
    partial(schedules.update, timetable=HOURLY, actor=ME),
    partial(schedules.activate, actor=ME),
    partial(schedules.deactivate, actor=ME),
    partial(schedules.delete, actor=ME),
]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("wanted", ["sched_nowhere", "", "\x00"])
def test_an_unknown_schedule_is_not_found(verb, wanted):
    task("report")
    with pytest.raises(NotFound):
        verb(wanted)


@pytest.mark.parametrize("verb", VERBS)
def test_what_code_declares_only_code_changes(verb):
    task("report")
    schedules.declare({"report": HOURLY}, [])
    made = Schedule.objects.get()
    with pytest.raises(InvalidOption, match="declared with task “report”"):
        verb(made.pk)


# -- declared in code -----------------------------------------------------------------------------


def test_a_declared_schedule_is_made_once_and_follows_the_code(django_assert_num_queries):
    task("report")
    schedules.declare({"report": HOURLY}, ["report"])
    made = Schedule.objects.get()
    assert (made.type, made.next_at, made.created_by) == ("DECLARATIVE", at(10), "code")
    with django_assert_num_queries(1):
        schedules.declare({"report": HOURLY}, ["report"])
    schedules.declare({"report": replace(HOURLY, cron="15 * * * *", overlap="skip")}, ["report"])
    changed = Schedule.objects.get()
    assert (changed.pk, changed.next_at, changed.overlap) == (made.pk, at(9, 15), "skip")
    schedules.declare({}, ["report"])
    assert not Schedule.objects.exists()
    assert [action for action, *_ in audited()] == [
        "schedule.create", "schedule.update", "schedule.delete",
    ]  # fmt: skip


def test_what_stopped_goes_on_once_its_zone_is_back():
    made = schedule()
    schedules.declare({"report": HOURLY}, [])
    Schedule.objects.update(next_at=None)
    schedules.declare({"report": HOURLY}, [])
    schedules.update(made.pk, HOURLY, actor=ME)
    assert set(Schedule.objects.values_list("next_at", flat=True)) == {at(10)}


def test_what_other_code_declares_stays():
    for name in ("report", "other"):
        task(name)
    schedules.declare({"report": HOURLY}, ["report"])
    schedules.declare({"other": replace(HOURLY, task_id="other")}, ["other"])
    assert set(Schedule.objects.values_list("task_id", flat=True)) == {"report", "other"}


def test_ad_hoc_schedules_of_the_same_task_stay():
    made = schedule()
    schedules.declare({}, ["report"])
    assert Schedule.objects.get().pk == made.pk


@pytest.mark.django_db(transaction=True)
def test_many_clusters_declare_it_once():
    task("report")
    together([partial(schedules.declare, {"report": HOURLY}, ["report"])] * 6)
    assert Schedule.objects.count() == 1
    assert len(audited()) == 1


def test_a_task_whose_key_is_a_function_gets_no_schedule():
    task("report", config='{"computed_key": true}')
    with pytest.raises(InvalidOption, match="computes its concurrency key by a function"):
        schedule()
    task("report", config='{"concurrency_key": "$.externalId"}')
    assert schedule().pk
