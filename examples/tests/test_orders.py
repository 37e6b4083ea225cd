"""A body that waits for weeks, tested in milliseconds."""

from datetime import timedelta

import pytest
from orders import Order, Parcel, fulfil_order, send_parcel

from engine.testing import Trackside

ORDER = Order(
    number="A7",
    parcels=[Parcel(warehouse="north", weight=2), Parcel(warehouse="south", weight=3)],
)


def test_an_order_is_charged_sent_and_closed(trackside: Trackside):
    run = trackside.run(fulfil_order, ORDER)
    assert run.output == {
        "payment": "payment of A7",
        "tracking": ["NO-2000", "SO-3000"],
        "missing": [],
    }
    assert [step.name for step in run.steps] == ["charge"]
    assert [wait.type for wait in run.waits] == ["batch", "duration"]
    assert run.waits[1].seconds == timedelta(days=14).total_seconds()


def test_the_customer_is_charged_once_whatever_happens_later(trackside: Trackside):
    run = trackside.run(fulfil_order, ORDER, until="wait")
    trackside.clock.advance("13d")
    assert run.status == "WAITING"
    trackside.clock.advance("1d")
    assert run.ok
    assert sum("charging" in message for message in run.messages) == 1


def test_a_parcel_that_is_too_heavy_is_missing(trackside: Trackside):
    heavy = Order(number="B1", parcels=[Parcel(warehouse="north", weight=99)])
    run = trackside.run(fulfil_order, heavy)
    assert run.output["missing"] == ["99 kg is too heavy for a parcel"]
    assert len(run.children[0].attempts) == 3
    assert "some parcels are missing" in run.messages[-1]


@pytest.mark.parametrize("answer", ["NO-1", None])
def test_the_carrier_is_not_asked(trackside: Trackside, answer):
    """Of the children only what they are given and give back counts."""
    carrier = trackside.stub(send_parcel, returns=answer)
    run = trackside.run(fulfil_order, ORDER)
    assert run.output["tracking"] == [answer, answer]
    assert [call["warehouse"] for call in carrier.calls] == ["north", "south"]
