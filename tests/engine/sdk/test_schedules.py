"""What authors write about schedules, without a database."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine import ScheduledPayload, Task, runtime, schedule, schedules, task
from engine.execution.outcomes import Failed, Succeeded
from engine.sdk.context import executing
from runs.errors import InvalidOption
from tests.engine.support import carry_out, make_context

PAYLOAD = """{"type": "DECLARATIVE", "timestamp": "2030-01-01T05:00:00.000Z",
 "lastTimestamp": null, "timezone": "Asia/Tokyo", "scheduleId": "sched_1", "externalId": "u1",
 "upcoming": ["2030-01-02T05:00:00.000Z"]}"""


@dataclass
class FakeBook:
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def __getattr__(self, verb):
        return lambda *arguments: self.calls.append((verb, *arguments))


@dataclass
class FakeRuntime:
    schedules: FakeBook = field(default_factory=FakeBook)


@pytest.fixture
def book():
    fake = FakeRuntime()
    before = runtime.install(fake)  # type: ignore[arg-type]
    yield fake.schedules
    runtime.install(before)


def declared(**options):
    @task(id="report", **options)
    def report(payload):
        return None

    return report


@pytest.mark.parametrize(
    "value",
    [
        schedule("0 5 * * *"),
        "0 5 * * *",
        " 0  5 * * * ",
        {"cron": "0 5 * * *"},
        {"pattern": "0 5 * * *", "timezone": "UTC"},
    ],
)
def test_a_schedule_is_written_in_several_ways(value):
    assert declared(schedule=value).schedule == schedule("0 5 * * *")


def test_options_of_a_schedule():
    made = schedule(
        "0 5 * * *",
        timezone="Asia/Tokyo",
        overlap="skip",
        catch_up="latest",
        window="50%",
        environments="PRODUCTION",
    )
    assert made.window == "50%"
    assert (made.timezone, made.overlap, made.catch_up) == ("Asia/Tokyo", "skip", "latest")
    assert (made.holds_in("prod"), made.holds_in("dev")) == (True, False)
    assert schedule("@daily").holds_in("staging")


@pytest.mark.parametrize(
    ("value", "option", "problem"),
    [
        ("0 5 * *", "cron", "5 fields"),
        ("0 0 31 2 *", "cron", "must have it"),
        ({"cron": "0 5 * * *", "timezone": "Nowhere"}, "timezone", "Nowhere"),
        ({"timezone": "UTC"}, "schedule", "needs “cron”"),
        ({"cron": "@daily", "pattern": "@daily"}, "schedule", "needs “cron”"),
        ({"cron": "@daily", "every": "30m"}, "schedule", "no option “every”"),
        ({"cron": "@daily", "window": "30h"}, "window", "up to a day.*got '30h'"),
        ({"cron": "@daily", "window": 30}, "window", "must be text; got 30"),
        ({"cron": "@daily", "overlap": "never"}, "overlap", "allow, skip, queue_one"),
        ({"cron": "@daily", "catch_up": True}, "catch_up", "skip, latest, all"),
        ({"cron": "@daily", "environments": ["moon"]}, "environments", "moon"),
        ({"cron": 5}, "cron", "must be text"),
        (5, "schedule", "schedule\\(...\\) or text"),
    ],
)
def test_a_wrong_schedule_names_task_option_and_what_is_allowed(value, option, problem):
    with pytest.raises(InvalidOption, match=f"“report”.*{problem}") as refused:
        declared(schedule=value)
    assert refused.value.option == option


def test_a_wrong_overlap_of_a_task():
    with pytest.raises(InvalidOption, match="cancel_previous"):
        declared(overlap="sometimes")
    assert declared(overlap="queue_one").overlap == "queue_one"


def test_a_body_without_annotation_gets_the_payload_with_attributes():
    seen = []

    @schedules.task(id="report", cron="0 5 * * *")
    def report(payload):
        seen.append(payload)

    assert isinstance(carry_out(report, PAYLOAD), Succeeded)
    (payload,) = seen
    assert payload.timestamp == datetime(2030, 1, 1, 5, tzinfo=UTC)
    assert (payload.last_timestamp, payload.timezone) == (None, "Asia/Tokyo")
    assert (payload.schedule_id, payload.external_id) == ("sched_1", "u1")
    assert payload.upcoming == [payload.timestamp + timedelta(days=1)]
    assert f"{payload.local_timestamp:%H:%M %Z}" == "14:00 JST"


@pytest.mark.parametrize("annotation", [dict, dict[str, Any], Any])
def test_a_body_may_ask_for_anything_that_fits(annotation):
    def report(payload):
        assert payload["externalId"] == "u1"

    report.__annotations__["payload"] = annotation
    assert isinstance(carry_out(task(schedule="@daily")(report), PAYLOAD), Succeeded)


def test_a_body_that_asks_for_something_else_is_refused_when_it_is_defined():
    def report(payload: list[int]) -> None: ...

    with pytest.raises(InvalidOption, match="Annotate it with ScheduledPayload"):
        task(schedule="@daily")(report)


def test_a_scheduled_task_can_be_triggered_by_hand(fake_runtime):
    @schedules.task(id="report")
    def report(payload: ScheduledPayload) -> None: ...

    assert report.schedule is not None
    assert not report.schedule.holds_in("dev")
    report.trigger(ScheduledPayload(timestamp=datetime(2030, 1, 1, tzinfo=UTC)))
    assert '"lastTimestamp":null' in fake_runtime.last.payload
    assert isinstance(carry_out(report, "{}"), Failed)


def test_creating_says_everything(book):
    made = declared()
    schedules.create(
        task=made, cron="0 0 * * *", timezone="America/New_York", external_id="user_1",
        deduplication_key="user_1-reminder", overlap="skip", catch_up="all", window="30m",
    )  # fmt: skip
    assert book.calls == [
        (
            "create",
            "user_1-reminder",
            {
                "task": "report",
                "cron": "0 0 * * *",
                "timezone": "America/New_York",
                "external_id": "user_1",
                "overlap": "skip",
                "catch_up": "all",
                "window": "30m",
            },
            "code",
        )
    ]


def test_a_refusal_says_whose_schedule_it_is_about(book):
    wrong: Any = "never"
    with pytest.raises(
        InvalidOption, match=r"^Task “report”: overlap is one of.*got 'never'"
    ) as one:
        schedules.create(task=declared(), cron="@daily", deduplication_key="k", overlap=wrong)
    assert one.value.option == "overlap"
    assert book.calls == []


def test_an_update_names_only_what_changes(book):
    with executing(make_context()):
        schedules.update("sched_1", cron="@daily", external_id=None, window=None)
    assert book.calls == [
        ("update", "sched_1", {"cron": "@daily", "external_id": None, "window": ""}, "run:run_1")
    ]


def test_the_other_verbs(book):
    schedules.retrieve("sched_1")
    schedules.activate("sched_1")
    schedules.deactivate("sched_1")
    schedules.delete("sched_1")
    schedules.list(page=0, per_page=1000)
    assert book.calls == [
        ("retrieve", "sched_1"),
        ("activate", "sched_1", "code"),
        ("deactivate", "sched_1", "code"),
        ("delete", "sched_1", "code"),
        ("page", 1, 100),
    ]


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"cron": None}, "cron"),
        ({"timezone": 3}, "timezone"),
        ({"task": ""}, "id"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": True}, "external_id"),
        ({"overlap": "no"}, "overlap"),
        ({"catch_up": "no"}, "catch_up"),
    ],
)
def test_wrong_types_are_refused_at_once(book, options, option):
    given = {"task": "report", "cron": "@daily", "deduplication_key": "k"} | options
    with pytest.raises(InvalidOption) as refused:
        schedules.create(**given)
    assert (refused.value.option, book.calls) == (option, [])


def test_time_zones():
    assert "Europe/Zurich" in schedules.timezones()
    assert "UTC" in schedules.timezones()
    assert "UTC" not in schedules.timezones(exclude_utc=True)


def test_types_are_known() -> None:
    @schedules.task(id="report", cron="@daily")
    def report(payload: ScheduledPayload) -> str:
        return f"{payload.timestamp:%d}"

    made: Task[ScheduledPayload, str] = report
    assert made.id == "report"
