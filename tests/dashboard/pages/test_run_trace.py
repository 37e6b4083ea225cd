"""The Trace tab of a run, and what is downloaded of it."""

import gzip
import json
import re
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from runs import lifecycle, tracing
from runs.lifecycle import attempts, store, tokens
from runs.models import Attempt, Journal, LogLine, Run, Source, Span
from runs.states import EntryStatus
from tests.support import rows

pytestmark = pytest.mark.django_db


def add(run, name, parent="", took=0.01, **facts):
    """A span of the run's first attempt; its id."""
    now = timezone.now()
    made = Span.objects.create(
        **{
            "run_id": run.pk,
            "attempt": 1,
            "span_id": tracing.span_id(name),
            "parent_id": parent or tracing.attempt_span_id(run.pk, 1),
            "kind": "user",
            "name": name,
            "status": "ok",
            "started_at": now,
            "ended_at": None if took is None else now + timedelta(seconds=took),
            "at": now,
        }
        | facts
    )
    return made.span_id


@pytest.fixture(autouse=True)
def _warm(viewer):
    """What the frame counts is remembered for some seconds."""
    viewer.get("/help/shortcuts")


def page(client, run, query=""):
    answer = client.get(f"/runs/{run.pk}?tab=trace{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def names(text):
    """(depth, name) of every row."""
    found = re.findall(
        r'class="tr t-\w+ d(\d+) .*?<a id="S[^>]*>(?:<span [^>]*>.*?</span>)?(.*?)</a>', text, re.S
    )
    return [(int(depth), name) for depth, name in found if name != "In the queue"]


def test_shows_spans_nested_with_bars_and_words(viewer, few_reads):
    run = rows.completed_run()
    outer = add(run, "outer", attributes='{"rows": 3, "trackside.icon": "Ø"}')
    add(run, "inner", outer, status="error", error="ValueError: <b>no</b>")
    with few_reads(8):
        text = page(viewer, run)
    assert names(text) == [(0, "hello"), (1, "Attempt 1"), (2, "outer"), (3, "inner")]
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in text
    assert "Ø" in text
    assert text.count("<rect") >= 4
    assert tracing.trace_id_of(run.pk) in text


def test_a_span_is_looked_at_closely(viewer, few_reads):
    run = rows.completed_run()
    outer = add(run, "outer", attributes='{"rows": 3, "trackside.icon": "Ø"}')
    for address in (f"/runs/{run.pk}?tab=trace&span={outer}", f"/runs/{run.pk}/span?span={outer}"):
        with few_reads(8):
            text = viewer.get(address).content.decode()
        assert "<dt>rows</dt><dd>3</dd>" in text
        assert "trackside.icon" not in text
        assert f"tab=logs&amp;span={outer}" in text
    assert "<html" not in text
    assert viewer.get(f"/runs/{run.pk}/span?span=unknown").status_code == 404


def test_the_run_itself_says_where_its_time_went(viewer):
    run = rows.completed_run()
    begun = timezone.now() - timedelta(seconds=100)
    Run.objects.filter(pk=run.pk).update(
        created_at=begun, queued_at=begun, started_at=begun + timedelta(seconds=25)
    )
    Attempt.objects.filter(run_id=run.pk).update(started_at=begun + timedelta(seconds=25))
    text = page(viewer, run)
    assert re.search(r"In the queue</dt><dd>25 s", text)
    assert "Executing</dt>" in text


def test_what_a_run_waits_for_costs_no_more_questions(viewer, few_reads):
    run, _ = rows.executing_run()
    child = lifecycle.trigger(
        "hello", options=lifecycle.TriggerOptions(parent_id=run.pk, awaited=True), source=Source.SDK
    )
    other = lifecycle.trigger(
        "hello", options=lifecycle.TriggerOptions(parent_id=run.pk), source=Source.SDK
    )
    made, _ = tokens.create(timeout=60)
    facts = {
        "status": EntryStatus.DONE,
        "started_at": timezone.now(),
        "attempt": 1,
        "args_hash": "",
    }
    for number, (kind, target) in enumerate((("child", child.run_id), ("for", made.pk))):
        Journal.objects.create(
            run_id=run.pk,
            kind=kind,
            name="w",
            ordinal=number,
            position=number,
            target=target,
            **facts,
        )
    add(run, "outer")
    with few_reads(8):
        text = page(viewer, run)
    assert [name for _, name in names(text)].count("hello") == 3
    assert text_of_state(text, "Wait for") == "Waiting"
    assert text.count(f'id="S{other.run_id}"') == 1
    assert f'id="S{child.run_id}"' not in text
    tokens.complete(made.pk, "1", by="user:ada")
    assert not re.search(r"Wait for</a> <a [^>]*>[^<]*</a> <b>", page(viewer, run))


def with_event(run):
    """A span in which something happened 5 ms after it began."""
    now = timezone.now()
    at = int(now.timestamp() * 1000 + 5) * 1_000_000
    told = {"rows": 3, tracing.EVENTS: [[at, "cache <miss>", {"key": "a"}]]}
    return add(run, "eventful", started_at=now, attributes=json.dumps(told))


def test_shows_what_happened_in_a_span(viewer):
    run = rows.completed_run()
    with_event(run)
    text = page(viewer, run, f"&span={tracing.span_id('eventful')}")
    assert "1 event<" in text
    assert re.search(r"\+\d ms</span> <b>cache &lt;miss&gt;</b> <span[^>]*>key: a<", text)
    lines = viewer.get(f"/runs/{run.pk}/raw/trace").content.decode().splitlines()
    (told,) = [one for one in map(json.loads, lines) if one["name"] == "eventful"]
    assert (told["attributes"], told["events"][0]["name"]) == ({"rows": 3}, "cache <miss>")


def test_a_run_that_never_started_says_how_long_it_stands(viewer):
    text = page(viewer, rows.queued_run())
    assert "In the queue" in text
    assert "data-since" in text


def test_says_what_is_open_and_what_was_cut_off(viewer):
    run, _ = rows.executing_run()
    add(run, "still at it", took=None, status="open")
    assert text_of_state(page(viewer, run), "still at it") == "Running"
    done = rows.failed_run("dies")
    add(done, "the fatal call", took=None, status="open")
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        assert text_of_state(page(viewer, done), "the fatal call") == "Cut off"


def test_what_was_open_when_its_run_was_canceled_is_canceled(viewer):
    stopped, token = rows.executing_run("stopped")
    add(stopped, "half way", took=None, status="open")
    lifecycle.cancel(stopped.pk, actor="user:ada")
    store.current().finish(attempts.acknowledge_cancel(stopped.pk, token))
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        assert text_of_state(page(viewer, stopped), "half way") == "Canceled"


def text_of_state(text, name):
    return re.search(rf"{name}</a>(?: <a [^>]*>[^<]*</a>)?\s*<b>(.*?)</b>", text)[1]


def test_an_address_shows_one_span_and_its_log_lines(viewer):
    run = rows.completed_run()
    outer = add(run, "outer")
    add(run, "inner", outer)
    add(run, "beside")
    assert names(page(viewer, run, f"&in={outer}")) == [(0, "outer"), (1, "inner")]
    assert len(names(page(viewer, run, "&in=unknown"))) == 5
    facts = {"run_id": run.pk, "attempt": 1, "level": 20, "logger": "root", "at": timezone.now()}
    LogLine.objects.create(message="in the span", span_id=outer, **facts)
    LogLine.objects.create(message="elsewhere", **facts)
    text = viewer.get(f"/runs/{run.pk}?tab=logs&span={outer}").content.decode()
    assert "in the span" in text
    assert "elsewhere" not in text


def test_failures_can_be_seen_alone(viewer):
    run = rows.completed_run()
    add(run, "good")
    add(run, "bad", status="error")
    around = [(0, "hello"), (1, "Attempt 1")]
    assert names(page(viewer, run, "&only=failed")) == [*around, (2, "bad")]
    assert "(1)" in page(viewer, run)


def test_rows_are_found_by_what_they_say(viewer):
    run = rows.completed_run()
    add(run, "load rows", attributes='{"url": "https://example.com/A"}')
    add(run, "store", status="error", error="ValueError: no room")
    for search in ("LOAD", "example.com/a"):
        assert names(page(viewer, run, f"&q={search}"))[2:] == [(2, "load rows")]
    assert names(page(viewer, run, "&q=no+room&only=failed"))[2:] == [(2, "store")]
    assert "No row has “&lt;b&gt;”" in page(viewer, run, "&q=<b>")


def flood(run, count):
    now = timezone.now()
    Span.objects.bulk_create(
        Span(
            run_id=run.pk, attempt=1, span_id=f"{n:016x}", kind="user", name=f"n{n}", status="ok",
            parent_id=tracing.attempt_span_id(run.pk, 1), started_at=now, ended_at=now, at=now,
        )
        for n in range(count)
    )  # fmt: skip


def test_a_flood_is_paged_with_a_statement(viewer, few_reads):
    run, _ = rows.executing_run()
    flood(run, 1500)
    with few_reads(11):
        text = page(viewer, run)
    assert len(names(text)) == 1002
    assert "Only the first 1,000 spans are shown." in text
    assert "too many to refresh by themselves" in text
    (after,) = re.findall(r"tab=trace&amp;after=(\d+)", text)
    rest = page(viewer, run, f"&after={after}")
    assert len(names(rest)) == 502
    assert "The first ones" in rest
    live = viewer.get(f"/runs/{run.pk}/live?tab=trace&v=old").content.decode()
    assert "too many to refresh" in live
    assert "<rect" not in live


def test_a_span_that_ends_on_a_later_page_has_ended_on_this_one(viewer):
    run = rows.completed_run()
    opened = add(run, "long", took=None, status="open")
    flood(run, 1200)
    add(run, "long", span_id=opened, took=9)
    text = page(viewer, run)
    assert "<b>Running" not in text
    assert "Cut off" not in text
    (after,) = re.findall(r"tab=trace&amp;after=(\d+)", text)
    assert (2, "long") not in names(page(viewer, run, f"&after={after}"))


def test_looks_again_until_the_last_spans_are_there(viewer):
    run = rows.completed_run()
    live = f"/runs/{run.pk}/live?tab=trace"
    first = viewer.get(live).content.decode()
    token = re.search(r'data-value="(\w+)"', first)[1]
    assert "data-live" in first
    assert viewer.get(f"{live}&v={token}").status_code == 204
    add(run, "late")
    assert "late" in viewer.get(f"{live}&v={token}").content.decode()
    with time_machine.travel(timezone.now() + timedelta(seconds=9)):
        assert "data-live" not in viewer.get(live).content.decode()


@pytest.mark.parametrize(
    "query",
    ["&after=x", "&after=-1", "&after=" + "9" * 30, "&span=%00", "&span=", "&t0=x&t1=-1", "&t0=9&t1=1",
     "&t0=inf", "&t1=nan", "&in=%00", "&queue=1&gaps=1"],
)  # fmt: skip
def test_a_strange_address_shows_the_trace(viewer, query):
    assert len(names(page(viewer, rows.completed_run(), query))) == 2


def test_is_downloaded_as_lines_of_json(viewer):
    run = rows.completed_run()
    flood(run, 1100)
    answer = viewer.get(f"/runs/{run.pk}/raw/trace")
    found = [json.loads(line) for line in answer.content.decode().splitlines()]
    assert answer["content-disposition"].endswith('-trace.jsonl"')
    assert [one["name"] for one in found[:1]] == ["hello"]
    assert len({one["id"] for one in found}) == len(found) == 1102 + (found[1]["kind"] == "queue")


def at_seconds(run, name, start, took, **facts):
    """A span that begins so many seconds after the run's first start."""
    began = run.started_at + timedelta(seconds=start)
    ended = began + timedelta(seconds=took)
    return add(run, name, started_at=began, ended_at=ended, **facts)


def long_run(seconds=600):
    """One that executed for so long."""
    run = rows.completed_run()
    ended = run.started_at + timedelta(seconds=seconds)
    Run.objects.filter(pk=run.pk).update(finished_at=ended)
    facts = {"started_at": run.started_at, "finished_at": ended}
    Attempt.objects.filter(run_id=run.pk).update(**facts)
    return Run.objects.get(pk=run.pk)


def test_a_stretch_of_time_is_shown_alone(viewer):
    run = long_run()
    at_seconds(run, "early", 1, 2)
    at_seconds(run, "late", 500, 2)
    around = [(0, "hello"), (1, "Attempt 1")]
    text = page(viewer, run, "&t0=400&t1=550")
    assert names(text) == [*around, (2, "late")]
    assert 'value="400.0"' in text
    assert "Nothing happened" not in text
    assert names(page(viewer, run, "&t0=400")) == [*around, (2, "late")]


def test_time_between_attempts_is_narrow_until_it_is_asked_for(viewer):
    run = long_run(10)
    later = {"started_at": run.started_at + timedelta(hours=3), "finished_at": run.started_at}
    Attempt.objects.create(
        run_id=run.pk, number=2, status="COMPLETED", session_id="s",
        started_at=later["started_at"], finished_at=later["started_at"] + timedelta(seconds=9),
    )  # fmt: skip
    Run.objects.filter(pk=run.pk).update(finished_at=later["started_at"] + timedelta(seconds=9))
    text = page(viewer, run)
    assert "2 h 59 m idle" in text
    assert 'class="r"' in text
    assert "idle</text>" not in page(viewer, run, "&gaps=1")


def test_many_rows_have_an_overview(viewer):
    run = rows.completed_run()
    flood(run, 80)
    assert 'class="minimap"' in page(viewer, run)
    assert 'class="window"' in page(viewer, run, "&t0=0&t1=1")


def test_bars_tell_waiting_failed_and_open_apart(viewer):
    run, _ = rows.executing_run()
    add(run, "open", took=None, status="open")
    add(run, "bad", status="error")
    text = page(viewer, run)
    assert "url(#pat-g)" in text
    assert "url(#pat-h)" in text
    assert 'href="#pat-x"' in text


def test_a_deep_trace_stays_a_page(viewer):
    run, above = rows.completed_run(), ""
    for number in range(40):
        above = add(run, f"level {number}", above)
    text = page(viewer, run)
    assert text.count("<ul") == text.count("</ul>")
    assert max(depth for depth, _ in names(text)) == 24


def test_two_hundred_rows_are_few_bytes(viewer):
    run = rows.completed_run()
    flood(run, 200)
    answer = viewer.get(f"/runs/{run.pk}?tab=trace")
    assert len(gzip.compress(answer.content, 6)) < 25_000
