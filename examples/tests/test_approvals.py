"""A run that asks a person, who answers, refuses, or does not care."""

import pytest
from approvals import Refund, refund

from engine.testing import Trackside

ADA = Refund(customer="Ada", amount=30)


def test_small_refunds_go_through(trackside: Trackside):
    assert trackside.run(refund, Refund(customer="Ada", amount=5)).output == "paid 5.00 to Ada"


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ({"approved": True, "amount": 25}, "paid 25.00 to Ada"),
        ({"approved": False, "amount": 0, "comment": "too late"}, "refused for Ada: too late"),
    ],
)
def test_somebody_decides(trackside: Trackside, answer, output):
    run = trackside.run(refund, ADA, until="wait")
    assert run.waiting_for.type == "token"
    assert "somebody has to decide" in run.messages[0]
    trackside.complete(run, answer)
    assert run.output == output


def test_nobody_decides(trackside: Trackside):
    run = trackside.run(refund, ADA, until="wait")
    trackside.clock.advance("7d")
    assert run.output == "refused for Ada: nobody decided in time"
