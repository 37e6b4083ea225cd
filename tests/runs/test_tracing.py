"""Trace contexts: what callers send, and what is derived without them."""

import pytest

from runs import tracing
from runs.tracing import TraceContext, context_of, parsed

pytestmark = pytest.mark.once
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture(autouse=True)
def _asked_anew():
    tracing.sampler.cache_clear()
    yield
    tracing.sampler.cache_clear()


def test_a_callers_place_is_read():
    place = parsed(f" {GOOD} ", "vendor=1,other=2")
    assert place == TraceContext(TRACE, SPAN, 1, "vendor=1,other=2")
    assert place.headers == {"traceparent": GOOD, "tracestate": "vendor=1,other=2"}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        GOOD.upper(),
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"{GOOD}-more",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}{SPAN}-01",
        GOOD.replace("b7", "ｂ7"),
    ],
)
def test_what_names_no_place_starts_no_error(header):
    assert parsed(header, "vendor=1") is None


def test_later_versions_are_read_as_far_as_they_are_known():
    assert parsed(f"cc-{TRACE}-{SPAN}-ff-what-ever") == TraceContext(TRACE, SPAN, 1)


@pytest.mark.parametrize(
    "state",
    ["no member", "a=1,\x00", "a=" + "x" * 600, ",".join(f"a{n}=1" for n in range(33)), "é=1"],
)
def test_an_unreadable_tracestate_is_dropped_alone(state):
    assert parsed(GOOD, state) == TraceContext(TRACE, SPAN, 1)


def test_without_a_caller_the_run_says_its_trace():
    mine = context_of("run_1", None, None)
    assert mine == context_of("run_1", "garbage", None)
    assert mine.trace_id != context_of("run_2", None, None).trace_id
    assert (len(mine.trace_id), mine.span_id, mine.is_sampled) == (32, "", True)


def test_ids_depend_on_every_part_of_the_place():
    ids = {
        tracing.attempt_span_id("run_1", 1),
        tracing.attempt_span_id("run_1", 2),
        tracing.attempt_span_id("run_2", 1),
        tracing.entry_span_id("run_1", 1, "step", "a", 1),
        tracing.entry_span_id("run_1", 1, "step", "a", 2),
        tracing.entry_span_id("run_1", 1, "wait", "a", 1),
    }
    assert len(ids) == 6
    assert all(len(one) == 16 for one in ids)


@pytest.mark.parametrize(
    ("name", "share", "least", "most"),
    [
        ("always_on", "", 200, 200),
        ("always_off", "", 0, 0),
        ("parentbased_always_off", "", 0, 0),
        ("traceidratio", "0.5", 60, 140),
        ("parentbased_traceidratio", "0", 0, 0),
        ("traceidratio", "nonsense", 200, 200),
    ],
)
def test_who_samples_is_asked_by_the_standard_variables(monkeypatch, name, share, least, most):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", name)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    sampled = sum(context_of(f"run_{n}", None, None).is_sampled for n in range(200))
    assert least <= sampled <= most
    assert context_of("run_1", GOOD, None).is_sampled  # the caller has decided
