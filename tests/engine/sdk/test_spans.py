"""Spans of a body: how they nest, what they say, and that nothing is told twice."""

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest

from engine import InvalidOption, Span, hooks, logger, retry, span, step, task
from engine.registry import registry
from engine.sdk import attributes, spanevents, spans
from engine.sdk.context import current, executing
from runs import tracing
from tests.engine.support import Notebook, Sink, carry_out, make_context

pytestmark = pytest.mark.once
ROOT = tracing.attempt_span_id("run_1", 1)


def told(body, **facts):
    """What the sink got while `body` ran as a task."""
    sink = Sink()
    task(id="spanning")(body)
    outcome = carry_out(registered(), sink=sink, **facts)
    return sink, outcome


def registered():
    return registry.get("spanning")


def int_of(text):
    raise ValueError(text)


def attributes_of(record):
    return json.loads(record.attributes)


def test_spans_nest_below_the_attempt():
    def body():
        with span("outer"), logger.trace("inner", rows=3) as one:
            assert isinstance(one, Span)
            one.set_attribute("more", {"a": [1, {"b": None}]})

    sink, _ = told(body)
    outer, inner = sink.ended["outer"], sink.ended["inner"]
    assert (outer.parent_id, inner.parent_id) == (ROOT, outer.span_id)
    assert attributes_of(inner) == {"rows": 3, "more.a.0": 1, "more.a.1.b": None}
    assert outer.started <= inner.started <= inner.ended <= outer.ended
    assert [one.status for one in sink.spans] == ["open", "open", "ok", "ok"]


def test_a_run_without_spans_tells_nothing():
    sink, _ = told(lambda: None)
    assert sink.spans == []


def test_ids_are_the_same_when_code_runs_again():
    def body():
        for _ in range(2):
            with span("again"):
                pass

    first, second = (told(body)[0].spans for _ in range(2))
    assert [one.span_id for one in first] == [one.span_id for one in second]
    assert len({one.span_id for one in first}) == 2


def test_an_error_marks_the_spans_it_leaves():
    def body():
        with span("outer"):
            with pytest.raises(ValueError, match="no such row"), span("inner"):
                int_of("no such row")
            with span("noted") as one:
                one.fail("half of it is missing")

    sink, outcome = told(body)
    assert outcome.output is None
    assert (sink.ended["inner"].status, sink.ended["inner"].error) == (
        "error",
        "ValueError: no such row",
    )
    assert (sink.ended["noted"].status, sink.ended["outer"].status) == ("error", "ok")


def test_functions_are_spans_too():
    @span("plain", size=2)
    def plain(number):
        return number + 1

    @span("async")
    async def coroutine(number):
        await asyncio.sleep(0)
        return plain(number)

    async def body():
        async with span("block"):
            return [await coroutine(1), plain(1)]

    sink, outcome = told(body)
    assert outcome.output == "[2,2]"
    names = [one.name for one in sink.spans if one.ended]
    assert names == ["plain", "async", "plain", "block"]
    assert sink.spans[2].parent_id == sink.ended["async"].span_id


def test_trace_calls_a_function_as_the_reference_does():
    async def late(one):
        one.set_attribute("late", True)
        return 2

    async def body():
        first = logger.trace("first", lambda: 1)
        return [
            first,
            await logger.trace("second", late),
            logger.trace("third", lambda one: one.name),
        ]

    sink, outcome = told(body)
    assert outcome.output == '[1,2,"third"]'
    assert attributes_of(sink.ended["second"]) == {"late": True}


def test_a_started_span_ends_by_itself_and_nothing_nests_in_it():
    def body():
        one = logger.start_span("by hand", a=1)
        with span("beside"):
            pass
        one.end()
        one.end()

    sink, _ = told(body)
    assert sink.ended["beside"].parent_id == ROOT
    assert [one.name for one in sink.spans if one.ended] == ["beside", "by hand"]


def test_tasks_of_a_loop_keep_their_spans_apart():
    async def one(name):
        with span(name):
            await asyncio.sleep(0.001)
            with span(f"{name} inside"):
                await asyncio.sleep(0.001)

    async def body():
        with span("all"):
            await asyncio.gather(one("a"), one("b"))

    sink, _ = told(body)
    for name in "ab":
        assert sink.ended[f"{name} inside"].parent_id == sink.ended[name].span_id
        assert sink.ended[name].parent_id == sink.ended["all"].span_id


def test_outside_of_a_run_the_code_runs_all_the_same():
    with span("nowhere", a=1) as one:
        one.set_attribute("b", 2)
        assert (one.id, one.traceparent) == ("", "")
    assert spans.headers() == {}
    assert spans.innermost_id() == ""


make: Any = span
trace: Any = logger.trace


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: make(""),
        lambda: make(7),
        lambda: make("a", attributes=[1]),
        lambda: make("a", attributes={7: 1}),
        lambda: make("a", icon="x" * 50),
        lambda: make("a", icon="\n"),
        lambda: trace("a", 7),
        lambda: Span(None, "", "a").set_attribute("", 1),
    ],
)
def test_bad_options_are_refused_by_name(wrong):
    with pytest.raises(InvalidOption):
        wrong()


def test_a_generator_is_no_span():
    def rows():
        yield 1

    with pytest.raises(InvalidOption, match="rows"):
        span("rows")(rows)


class Evil:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"a": float("nan")}, {"a": "nan"}),
        ({"a": "x\x00\ud800"}, {"a": "x\\x00\\ud800"}),
        ({"a": 2**70}, {"a": str(2**70)}),
        ({"a": Evil()}, {"a": "(Evil that cannot be read)"}),
        ({"a": {}}, {"a": "{}"}),
        ({"a": [True, logging.INFO]}, {"a.0": True, "a.1": 20}),
    ],
)
def test_attributes_are_plain_values(given, kept):
    assert json.loads(attributes.flattened(given)) == kept


def test_attributes_are_bounded():
    many = json.loads(attributes.flattened({f"n{n}": n for n in range(1000)}))
    assert len(many) == attributes.MOST + 1
    assert many[attributes.LEFT_OUT] == attributes.MOST
    long = attributes.flattened({f"n{n}": "\x00" * 20_000 for n in range(20)})
    assert len(long) < attributes.ALL + 100
    endless: list[Any] = []
    endless.append(endless)
    assert len(attributes.flattened({"a": endless})) < 200


def test_events_are_kept_with_their_time_and_bounded():
    def body():
        with span("one", rows=3) as made:
            made.add_event("cache miss", {"key": {"a": 1}}, size=2)
            made.record_exception(ValueError("dealt with"))
        with span("many") as made:
            for number in range(spanevents.MOST + 5):
                made.add_event(f"n{number}")
            made.add_event("too long", text="x" * 16_000)

    sink, _ = told(body)
    one = attributes_of(sink.ended["one"])
    (at, name, facts), (_, kind, error) = one.pop(tracing.EVENTS)
    assert one == {"rows": 3}
    assert sink.ended["one"].started <= at <= sink.ended["one"].ended
    assert (name, facts) == ("cache miss", {"key.a": 1, "size": 2})
    assert (kind, error["exception.message"]) == ("exception", "ValueError: dealt with")
    assert sink.ended["one"].status == "ok"
    many = attributes_of(sink.ended["many"])
    assert len(many[tracing.EVENTS]) == spanevents.MOST
    assert many[tracing.LEFT_OUT_EVENTS] == 6


def test_an_event_has_a_name():
    with span("outside") as made, pytest.raises(InvalidOption, match="An event's name is text"):
        made.add_event("")


def test_a_flood_is_counted(settings):
    settings.TRACKSIDE = {"SPANS_PER_ATTEMPT": 3}

    def body():
        for number in range(5):
            with span(f"n{number}"):
                pass

    sink, _ = told(body)
    assert [one.name for one in sink.spans if one.ended] == [
        "n0",
        "n1",
        "n2",
        "2 more spans were dropped",
    ]
    assert sink.spans[-1].kind == "dropped"


def test_a_span_that_was_never_left_is_not_the_next_runs():
    def body():
        span("left open").__enter__()

    told(body)
    assert spans.innermost_id() == ""
    registry.clear()
    sink, _ = told(lambda: logger.start_span("next").end())
    assert sink.ended["next"].parent_id == ROOT


def test_what_finds_no_room_is_counted():
    class Full(Sink):
        def span(self, record):
            return super().span(record) and record.kind == "dropped"

    sink = Full()
    task(id="spanning")(lambda: span("lost").__enter__().end())
    carry_out(registered(), sink=sink)
    assert sink.spans[-1].name == "1 more span was dropped"


def test_a_closed_sink_fails_no_run():
    class Closed(Sink):
        def span(self, record):
            raise OSError("closed")

    task(id="spanning")(span("lost")(lambda: 1))
    assert carry_out(registered(), sink=Closed()).output == "1"


def test_tries_have_spans():
    def shaky(attempt):
        if attempt < 2:
            raise ConnectionError("once")
        return attempt

    async def later(attempt):
        return shaky(attempt)

    async def body():
        retry.on_throw(shaky, max_attempts=3, min_timeout=0, max_timeout=0)
        await retry.on_throw(later, max_attempts=3, min_timeout=0, max_timeout=0)

    sink, _ = told(body)
    found = [(one.name, one.status) for one in sink.spans if one.ended]
    assert found == [
        ("shaky, try 1 of 3", "error"),
        ("shaky, try 2 of 3", "ok"),
        ("later, try 1 of 3", "error"),
        ("later, try 2 of 3", "ok"),
    ]


def test_hooks_have_spans_and_bodies_nest_in_middleware(monkeypatch):
    monkeypatch.setattr(hooks, "_hooks", [])

    def around(next):  # noqa: A002  the hook's parameter
        next()

    async def succeeded(output):
        logger.info("well done")

    hooks.add_hook("middleware", around)

    @task(id="spanning", on_success=succeeded)
    def body():
        with span("inside"):
            pass

    sink = Sink()
    carry_out(body, sink=sink)
    hooks.forget()
    around_it, after_it = sink.ended["middleware"], sink.ended["on_success"]
    assert sink.ended["inside"].parent_id == around_it.span_id
    assert attributes_of(around_it)["hook.source"] == "global"
    assert attributes_of(after_it) == {"hook.name": succeeded.__qualname__, "hook.source": "task"}


def test_what_is_in_a_step_nests_in_it_and_the_journal_knows_its_span():
    def load():
        with span("read"):
            return 1

    def body():
        with span("phase"):
            step("load", load)

    notes = Notebook()
    sink, _ = told(body, keeper=notes)
    assert [one.name for one in sink.spans if one.ended] == ["read", "phase"]
    (entry,) = notes.entries
    assert entry.span == sink.ended["phase"].span_id
    step_id = tracing.entry_span_id("run_1", 1, "step", "load", 1)
    assert sink.ended["read"].parent_id == step_id


def test_an_outgoing_request_says_where_it_comes_from():
    seen = []

    def answer(request):
        seen.append(request.headers["traceparent"])
        return httpx.Response(503 if len(seen) < 2 else 200)

    def body():
        with httpx.Client(transport=httpx.MockTransport(answer)) as client:
            again: Any = {"by_status": {"5xx": {"min_timeout": 0, "max_timeout": 0}}}
            url = "https://me:secret@shop.test/orders?key=secret"
            retry.fetch(url, client=client, retry=again)
            retry.fetch(url, client=client, headers={"traceparent": "mine"})

    sink, _ = told(body, traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
    tries = [one for one in sink.spans if one.ended]
    assert [one.name for one in tries] == ["GET shop.test/orders"] * 3
    assert seen == [f"00-{'a' * 32}-{one.span_id}-01" for one in tries[:2]] + ["mine"]
    assert [one.status for one in tries] == ["error", "ok", "ok"]
    assert "secret" not in tries[0].attributes
    assert attributes_of(tries[1])["http.request.resend_count"] == 1


def test_children_and_ctx_learn_the_innermost_span(fake_runtime):
    @task
    def child(): ...

    context = make_context()
    with executing(context):
        with span("around") as one:
            assert context.traceparent == one.traceparent
            child.trigger()
        assert current().traceparent.split("-")[2] == ROOT
    assert fake_runtime.last.options["traceparent"] == one.traceparent
    assert "tracestate" not in fake_runtime.last.options


def test_children_are_in_the_callers_trace(fake_runtime):
    @task(id="spanning")
    def body():
        body.trigger()

    state = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00", "tracestate": "v=1"}
    carry_out(body, **state)
    options = fake_runtime.last.options
    assert options["traceparent"] == f"00-{'a' * 32}-{ROOT}-00"
    assert options["tracestate"] == "v=1"


def test_the_level_of_the_logger_is_a_setting(settings):
    settings.TRACKSIDE = {"LOG_LEVEL": "warn"}

    def body():
        logger.info("quiet")
        logger.warn("loud")
        logging.getLogger("mine").info("not the logger's")

    sink, _ = told(body)
    assert sink.messages == ["loud", "not the logger's"]
