"""Which moments an expression names, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.cron import MACROS, parse, zone_names
from runs.errors import InvalidOption


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def fires(expression, zone, after, count):
    moments = parse(expression, zone).upcoming(utc(after), count)
    return [f"{moment:%m-%d %H:%M}" for moment in moments]


#: (expression, zone, from, moments in UTC)
GOLDEN = [
    ("0 5 * * *", "UTC", "2026-01-01", ["01-01 05:00", "01-02 05:00"]),
    ("0 5 * * *", "Asia/Tokyo", "2026-01-01", ["01-01 20:00", "01-02 20:00"]),
    ("0 0 L * *", "UTC", "2028-01-15", ["01-31 00:00", "02-29 00:00", "03-31 00:00"]),
    ("0 9 * * 5L", "UTC", "2026-01-01", ["01-30 09:00", "02-27 09:00"]),
    ("0 9 * * MON#1", "UTC", "2026-01-01", ["01-05 09:00", "02-02 09:00"]),
    ("0 9 LW * *", "UTC", "2026-01-01", ["01-30 09:00", "02-27 09:00"]),
    ("0 0 13 * FRI", "UTC", "2026-02-01", ["02-06 00:00", "02-13 00:00", "02-20 00:00"]),
    ("*/20 9-10 * * SUN", "UTC", "2026-01-01", ["01-04 09:00", "01-04 09:20", "01-04 09:40"]),
    ("@weekly", "UTC", "2026-01-01", ["01-04 00:00", "01-11 00:00"]),
    # a skipped time fires when the clocks have jumped
    ("30 2 * * *", "Europe/Berlin", "2026-03-28", ["03-28 01:30", "03-29 01:00", "03-30 00:30"]),
    ("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29", ["03-29 01:00", "03-29 01:30", "03-30 00:00"]),
    ("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00", ["10-03 15:30", "10-04 15:15"]),
    ("0 5 * * *", "Pacific/Apia", "2011-12-29T12:00", ["12-29 15:00", "12-30 10:00", "12-30 15:00"]),
    # a repeated one the first time only
    ("30 2 * * *", "Europe/Berlin", "2026-10-24", ["10-24 00:30", "10-25 00:30", "10-26 01:30"]),
    ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04", ["04-04 14:45", "04-05 15:15"]),
    ("30 23 * * *", "America/Havana", "2026-10-31", ["10-31 03:30", "11-01 03:30", "11-02 04:30"]),
    # also when asked between the two
    ("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10", ["10-26 01:30"]),
    # a rhythm goes on: not in what is skipped, twice in what is repeated
    ("*/30 2 * * *", "Europe/Berlin", "2026-03-28T02:00", ["03-30 00:00", "03-30 00:30"]),
    ("*/30 2 * * *", "Europe/Berlin", "2026-10-24T23:00",
     ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-26 01:00"]),
    ("0 * * * *", "Europe/Berlin", "2026-10-24T23:30", ["10-25 00:00", "10-25 01:00", "10-25 02:00"]),
    ("*/10 3 * * *", "Australia/Lord_Howe", "2026-10-03", ["10-03 16:00", "10-03 16:10", "10-03 16:20"]),
    ("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:40",
     ["04-04 14:45", "04-04 15:00", "04-04 15:15", "04-05 14:30"]),
    ("*/30 * * * *", "Asia/Kathmandu", "2026-01-01", ["01-01 00:15", "01-01 00:45"]),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "zone", "after", "moments"), GOLDEN)
def test_fires_at(expression, zone, after, moments):
    assert fires(expression, zone, after, len(moments)) == moments


ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca",
    "America/Havana", "Asia/Kathmandu", "Pacific/Apia", "Antarctica/Troll", "Asia/Beirut",
    "America/Santiago", "Pacific/Chatham",
]  # fmt: skip
MINUTES = st.sampled_from(["*", "*/7", "0", "30", "15,45", "59"])
HOURS = st.sampled_from(["*", "*/3", "0", "1", "2", "2,3", "0-4", "23"])
DAYS = st.sampled_from(["*", "1", "L", "*/9"])


@settings(max_examples=60, deadline=None)
@given(
    st.builds("{} {} {} * *".format, MINUTES, HOURS, DAYS),
    st.sampled_from(ZONES),
    st.integers(0, 7 * 365),
)
def test_agrees_with_looking_at_the_clock_every_minute(expression, zone, day):
    """An oracle without any arithmetic: two days, minute by minute."""
    start = utc("2024-01-01") + timedelta(days=day)
    until = start + timedelta(days=2)
    clock = parse(expression, zone)
    found = list(clock.between(start, until))
    assert found == sorted(set(found))
    seen = set(shown(clock, start, until))
    if clock.is_fixed:
        seen = first_shown(clock, seen)
        skipped = [moment for moment in found if moment not in seen]
        assert all(jumped(moment, zone) for moment in skipped)
        assert seen <= set(found)
    else:
        assert set(found) == seen


def shown(clock, start, until):
    """Every minute at which the clock on the wall shows a matching time."""
    zone, fields = ZoneInfo(clock.timezone), CronSim(clock.pattern, start.replace(tzinfo=None))
    for number in range(1, int((until - start) / timedelta(minutes=1)) + 1):
        moment = start + timedelta(minutes=number)
        wall = moment.astimezone(zone)
        shows = wall.minute in fields.minutes and wall.hour in fields.hours
        if shows and fields.match_day(wall.date()):
            yield moment


def first_shown(clock, moments):
    """Without those whose wall time came an hour or so before."""
    zone = ZoneInfo(clock.timezone)
    return {moment for moment in moments if moment.astimezone(zone).fold == 0}


def jumped(moment, zone):
    offsets = {(moment + timedelta(minutes=step)).astimezone(ZoneInfo(zone)).utcoffset()
               for step in (-1, 0)}  # fmt: skip
    return len(offsets) == 2


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
@pytest.mark.parametrize(
    "expression", ["30 2 * * *", "0 */2 * * *", "5,35 1-3 * * SUN", "*/13 * * * *"]
)
def test_agrees_with_cronsim_where_clocks_change_by_an_hour(zone, expression):
    start = utc("2026-01-01").astimezone(ZoneInfo(zone))
    theirs = (moment.astimezone(UTC) for moment in CronSim(expression, start))
    assert parse(expression, zone).upcoming(start, 800) == list(islice(theirs, 800))


def test_the_latest_without_walking_through_all():
    clock = parse("* * * * *")
    until = utc("2030-01-01T00:00:30")
    found = clock.latest(utc("2000-01-01"), until, 3)
    assert [f"{moment:%d %H:%M}" for moment in found] == ["31 23:58", "31 23:59", "01 00:00"]
    assert parse("@yearly").latest(utc("2020-06-01"), until, 2)[0] == utc("2029-01-01")
    assert parse("@yearly").latest(utc("2029-06-01"), utc("2029-07-01"), 2) == []


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("", "1 to 200 plain characters"),
        ("* * * *", "5 fields .* got 4"),
        ("*/5 * * * * *", "got 6. Seconds are not allowed"),
        ("60 * * * *", "the minute is 0 to 59"),
        ("* 24 * * *", "the hour is 0 to 23"),
        ("* * 32 * *", "the day is 1 to 31"),
        ("* * * 13 *", "the month is 1 to 12"),
        ("* * * * MON#6", "the day-of-week is"),
        ("5-1 * * * *", "the minute is"),
        ("*/0 * * * *", "the minute is"),
        ("²  * * * *", "plain characters"),
        ("0 0 31 2 *", "one of its months must have it"),
        ("* * */20 * 1L", "never fires"),
        ("@sometimes", "knows @yearly"),
        ("0," * 200 + " * * * *", "1 to 200"),
        ("1\x00 * * * *", "the minute is"),
    ],
)
def test_refuses(expression, problem):
    with pytest.raises(InvalidOption, match=problem) as refused:
        parse(expression)
    assert refused.value.option == "cron"


@pytest.mark.parametrize(
    "zone", ["", "Mars/Olympus", "../etc/passwd", "europe/berlin", "localtime"]
)
def test_refuses_a_zone_nobody_knows(zone):
    with pytest.raises(InvalidOption, match="Europe/Zurich") as refused:
        parse("@daily", zone)
    assert refused.value.option == "timezone"


def test_every_macro_and_zone_works():
    for macro in MACROS:
        assert parse(macro.upper()).upcoming(utc("2026-01-01"), 1)
    for zone in zone_names():
        assert parse("0 2 * * *", zone).next(utc("2026-03-01"))


def test_says_it_in_words():
    assert parse("0 5 * * *").sentence == "At 05:00 every day"
    assert parse("@daily", "Asia/Tokyo").sentence == "At 00:00 every day, Asia/Tokyo time"


def test_notes_what_the_clocks_do_to_it():
    january = utc("2026-01-01")
    assert parse("30 2 * * *", "Europe/Berlin").notes(january) == [
        "The clocks skip 29 March 2026, 02:00 to 03:00: it fires at 03:00 instead of 02:30.",
        "The clocks repeat 25 October 2026, 02:00 to 03:00: it fires the first time only.",
    ]
    assert [
        note.split(": ")[1] for note in parse("*/30 2 * * *", "Europe/Berlin").notes(january)
    ] == [
        "it does not fire then.",
        "it fires both times.",
    ]
    for expression, zone in [("0 5 * * *", "Europe/Berlin"), ("* * * * *", "Europe/Berlin"),
                             ("30 2 * * *", "UTC"), ("30 2 * * *", "Asia/Tokyo")]:  # fmt: skip
        assert parse(expression, zone).notes(january) == []
