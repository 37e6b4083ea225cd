"""Tasks by the clock."""

from datetime import UTC, datetime

from reports import customer_report, nightly_cleanup, sign_up

from engine.testing import Trackside


def test_when_it_cleans_up(trackside: Trackside):
    """At half past two in Zurich, also in the night that has no half past two."""
    summer = datetime(2030, 3, 29, 12, tzinfo=UTC)
    fires = trackside.fires(nightly_cleanup, 3, after=summer)
    assert [f"{fire:%d %H:%M}" for fire in fires] == ["30 01:30", "31 01:00", "01 00:30"]


def test_it_cleans_up(trackside: Trackside):
    run = trackside.fire(nightly_cleanup, datetime(2030, 1, 1, 1, 30, tzinfo=UTC))
    assert run.output == "cleaned up for Tuesday, 01 January"


def test_a_customer_gets_reports(trackside: Trackside):
    assert trackside.run(sign_up, {"customer": "c_42", "timezone": "Europe/Zurich"}).ok
    trackside.clock.advance("2d")
    reports = trackside.runs(customer_report)
    assert len(reports) == 2
    assert all("report for c_42" in run.output and "08:00" in run.output for run in reports)
