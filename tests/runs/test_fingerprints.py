import json

import pytest

from runs import fingerprints
from tests.support.failing import BILLING, LIBRARY, error


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17 not found", "order 40213 not found"),
        ("took 1.25 s", "took 30 s"),
        ("no run_01k8z3abcdefgh", "no run_01k9a7zzzzzzzz"),
        ("key 8c2d90ff11aa missing", "key 00ff00ff00ff missing"),
        ("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "id 9a2504e0-4f89-41d3-9a0c-0305e82c33ff"),
        ("<Order object at 0x7f31aa>", "<Order object at 0x7f99bb10>"),
        ("mail to ada@example.com bounced", "mail to bob.b@example.co.uk bounced"),
        ("GET https://x.org/a?b=1 said 500", "GET https://y.org/ said 502"),
        ("since 2026-01-02T03:04:05Z", "since 2025-11-12 13:14:15.123+01:00"),
        ("customer cus_Nfj38dk2kd is gone", "customer cus_9s8kjKDk29 is gone"),
        ("a\n  b", "a b"),
    ],
)
def test_what_varies_does_not_count(one, other):
    assert fingerprints.mark(error(one)) == fingerprints.mark(error(other))


@pytest.mark.parametrize(
    "different",
    [
        error("card expired"),
        error(name="KeyError"),
        error(code="TASK_INPUT_ERROR"),
        error(frames=[BILLING | {"function": "refund"}]),
        error(frames=[BILLING | {"file": "/srv/app/tasks/mail.py"}]),
        error(causes=[{"name": "OSError"}]),
    ],
)
def test_what_differs_counts(different):
    assert fingerprints.mark(different) != fingerprints.mark(error())


@pytest.mark.parametrize(
    "alike",
    [
        error(frames=[BILLING | {"line": 99, "text": "other()"}]),
        error(frames=[BILLING | {"file": "/home/ci/build/tasks/billing.py"}]),
        error(frames=[BILLING, LIBRARY | {"function": "other"}, LIBRARY]),
        error(frames=[BILLING, BILLING, BILLING]),
        error(stack_trace="Traceback…"),
    ],
)
def test_lines_libraries_and_checkouts_do_not_count(alike):
    assert fingerprints.mark(alike) == fingerprints.mark(error())


def test_the_task_is_part_of_the_fingerprint():
    mark = fingerprints.mark(error())
    assert fingerprints.of(mark, "send") != fingerprints.of(mark, "bill")
    assert len(fingerprints.of(mark, "send")) == fingerprints.LENGTH


@pytest.mark.parametrize(
    "text", ["not json", "[1]", "{}", '{"frames": 3, "causes": [1]}', '"\\ud800"']
)
def test_any_text_has_a_mark(text):
    assert fingerprints.mark(text)


def test_no_error_has_none():
    assert fingerprints.mark(None) == ""


def test_a_long_hostile_message_takes_no_time():
    text = json.dumps({"name": "E", "message": "a.b-c_1@" * 100_000})
    assert fingerprints.mark(text)


def test_the_place_is_the_innermost_own_frame():
    assert fingerprints.place(error()) == "tasks/billing.py:12 in charge"
    assert fingerprints.place(error(frames=[LIBRARY])) == ""
