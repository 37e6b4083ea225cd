"""What schedules do next, all together; what became of their fires; and fires of the past."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from runs.lifecycle import backfilling
from runs.models import AuditLog, Run, ScheduleTick, TickOutcome
from tests.support.schedules import fire_all, schedule

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
NOON = datetime(2031, 3, 5, 12, 0, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def clock():
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def at(hour, minute=0):
    return datetime(2031, 3, 5, hour, minute, tzinfo=UTC)


def tick(row, when, outcome, count=1, until=None):
    return ScheduleTick.objects.create(
        schedule=row, at=when, until=until or when, count=count, outcome=outcome, recorded_at=when
    )


# -- the agenda ---------------------------------------------------------------------------------------


def test_the_agenda_tells_all_fires_in_order(viewer):
    schedule("30 * * * *", task_id="half"), schedule("0 */2 * * *", task_id="even")
    entries = viewer.get("/schedules/agenda?hours=6").context["entries"]
    told = [(entry.schedule.task_id, entry.at) for entry in entries]
    assert told[:3] == [("half", at(12, 30)), ("half", at(13, 30)), ("even", at(14))]
    assert len(told) == 6 + 3


def test_a_lively_schedule_is_one_line(viewer):
    schedule("* * * * *")
    page = viewer.get("/schedules/agenda")
    (entry,) = page.context["entries"]
    assert (entry.count, entry.until) == (1440, at(12) + timedelta(days=1))
    assert "1439 more until" in page.content.decode()


def test_the_agenda_leaves_out_what_is_off_or_later(viewer, administrator):
    off = schedule("30 * * * *")
    administrator.post(f"/schedules/{off.pk}", {"action": "deactivate"})
    schedule("0 0 1 1 *", task_id="yearly")
    assert b"Nothing fires in the next 24 hours" in viewer.get("/schedules/agenda").content
    assert viewer.get("/schedules/agenda?hours=1e9").context["hours"] == "24"


def test_the_list_shows_the_last_fires(viewer, few_reads):
    row = schedule()
    for hour in range(1, 8):
        tick(row, at(hour), TickOutcome.FIRED if hour % 2 else TickOutcome.MISSED)
    with few_reads(14):
        page = viewer.get("/schedules").content.decode()
    assert "Last fires: 4 fired, 3 missed." in page


# -- the account --------------------------------------------------------------------------------------


def test_the_account_says_what_should_have_been(viewer):
    with time_machine.travel(NOON - 10 * HOUR, tick=False):
        row = schedule()
    tick(row, at(3), TickOutcome.FIRED)
    tick(row, at(4), TickOutcome.MISSED, count=3, until=at(6))
    tick(row, at(7), TickOutcome.SKIPPED)
    account = viewer.get(f"/schedules/{row.pk}").context["account"]
    assert (account.expected, account.unaccounted) == (10, 5)
    assert account.outcomes == {"fired": 1, "missed": 3, "skipped": 1}


# -- fires of the past --------------------------------------------------------------------------------


def fields(start, until, **more):
    return {"start": f"2031-03-05T{start}", "until": f"2031-03-05T{until}"} | more


def test_a_backfill_is_shown_before_it_is_made(operator):
    row = schedule()
    tick(row, at(9), TickOutcome.FIRED)
    page = operator.post(f"/schedules/{row.pk}/backfill", fields("08:00", "11:00", do="look"))
    assert page.context["plan"] == backfilling.Plan((at(8), at(10), at(11)), 1)
    assert "Make 3 runs" in page.content.decode()
    assert not Run.objects.exists()


def test_a_backfill_makes_what_was_missed_and_puts_it_on_record(operator):
    row = schedule()
    missed = tick(row, at(8), TickOutcome.MISSED, count=3, until=at(10))
    sent = fields("08:00", "09:30", do="make", per_minute="2", reason="outage")
    response = operator.post(f"/schedules/{row.pk}/backfill", sent)
    assert (response.status_code, response["Location"]) == (303, f"/schedules/{row.pk}")
    runs = list(Run.objects.order_by("id"))
    assert ['"timestamp": "2031-03-05T08:00' in runs[0].payload, runs[0].delay_until] == [
        True,
        None,
    ]
    assert runs[1].delay_until == NOON + timedelta(seconds=30)
    assert {run.schedule_id for run in runs} == {row.pk}
    missed.refresh_from_db()
    assert (missed.at, missed.count) == (at(10), 1)
    made = ScheduleTick.objects.filter(outcome=TickOutcome.BY_HAND).order_by("at")
    assert [(one.at, one.run_id) for one in made] == [(at(8), runs[0].pk), (at(9), runs[1].pk)]
    entry = AuditLog.objects.get(action="schedule.backfill")
    assert (entry.actor, entry.reason) == ("user:otto", "outage")


def test_sending_it_twice_makes_one_run_of_each(operator):
    row = schedule()
    for _ in range(2):
        operator.post(f"/schedules/{row.pk}/backfill", fields("08:00", "09:00", do="make"))
    backfilling.backfill(row.pk, [at(8), at(9)], actor="user:otto")
    assert Run.objects.count() == 2
    assert AuditLog.objects.filter(action="schedule.backfill").count() == 1


def test_times_are_those_of_the_schedules_zone(operator):
    row = schedule(timezone="Europe/Zurich")
    page = operator.post(f"/schedules/{row.pk}/backfill", fields("09:00", "09:30"))
    assert page.context["plan"].fires == (at(8),)


@pytest.mark.parametrize(
    ("sent", "said"),
    [(fields("10:00", "09:00"), "before the beginning"), (fields("10:00", "13:00"), "have passed"),
     (fields("10:00", "soon"), "State a date and a time"), (fields("25:00", "26:00"), "State a date"),
     (fields("08:00", "09:00") | {"start": "0001-01-01T00:00"}, "before 1970"),
     (fields("08:00", "09:00", per_minute="0"), "greater than or equal")],
)  # fmt: skip
def test_says_what_is_no_stretch_of_time(operator, sent, said):
    row = schedule()
    response = operator.post(f"/schedules/{row.pk}/backfill", sent | {"do": "make"})
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not Run.objects.exists()


def test_one_backfill_makes_so_many_at_most(operator, monkeypatch):
    monkeypatch.setattr(backfilling, "MOST", 5)
    row = schedule("* * * * *")
    page = operator.post(f"/schedules/{row.pk}/backfill", fields("08:00", "09:00", do="look"))
    assert (len(page.context["plan"].fires), page.context["plan"].is_cut) == (5, True)
    assert "there are more" in page.content.decode()


def test_needs_the_right_to_act(viewer):
    row = schedule()
    sent = fields("08:00", "09:00", do="make")
    assert viewer.post(f"/schedules/{row.pk}/backfill", sent).status_code == 403
    assert not Run.objects.exists()


def test_run_now_from_the_list(operator):
    row = schedule()
    page = operator.get("/schedules").content.decode()
    assert f'action="/schedules/{row.pk}/run"' in page
    fire_all()
    assert operator.post(f"/schedules/{row.pk}/run", {"token": "x:0"}).status_code == 303
    assert Run.objects.count() == 1
