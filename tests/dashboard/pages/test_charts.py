import re

import pytest
from django.template import engines

from dashboard.pages import charts, sparks
from dashboard.pages.scales import count_text, percent_text, round_up

SERIES = (charts.Series("Completed", "ok"), charts.Series("Failed", "bad"))


def buckets(*values):
    last = len(values) - 1
    return [
        charts.Bucket(f"{at:02}:00", value, href=f"/runs?at={at}", is_partial=at == last)
        for at, value in enumerate(values)
    ]


def shown(chart, tag="chart"):
    page = "{% load charts %}{% chart_patterns %}{% " + tag + " it %}"
    return engines["django"].from_string(page).render({"it": chart})


def test_a_stack_says_what_it_shows():
    chart = charts.stacked("runs", "Runs", SERIES, buckets((10, 0), (80, 3), (1, 1)))
    assert chart.summary == "Runs: 91 completed, 4 failed; most at 01:00 with 83."
    assert chart.ticks == ("100", "50", "0")
    text = shown(chart)
    assert 'role="img" aria-labelledby="chart-runs-says"' in text
    assert (
        '<a href="/runs?at=1">01:00</a></th><td class="num">80</td><td class="num">3</td>' in text
    )
    assert "02:00 (not over)" in text
    assert 'fill="url(#hatch)"' in text
    assert 'fill="url(#partial)"' in text
    assert "style=" not in text


def test_failures_lie_on_top():
    chart = charts.stacked("runs", "Runs", SERIES, buckets((50, 50)))
    fine, bad = (layer.rects[0] for layer in chart.layers)
    assert (float(fine.y), float(fine.height)) == (50, 50)
    assert (float(bad.y), float(bad.height)) == (0, 50)


def test_what_is_there_at_all_is_seen():
    chart = charts.stacked("runs", "Runs", SERIES, buckets((100_000, 1)))
    assert float(chart.layers[1].rects[0].height) > 1


def test_a_line_breaks_where_nothing_is_known():
    one = (charts.Series("p95", "warn"),)
    chart = charts.lines("p", "Wait", one, buckets((1,), (None,), (4,), (2,)), form=count_text)
    assert re.sub(r"\d+ \d+", "", chart.layers[0].path) == "ML"
    assert len(chart.layers[0].dots) == 1
    assert chart.summary == "Wait: p95 2 at the end, at most 4."


def test_says_that_there_is_nothing():
    text = shown(charts.stacked("runs", "Runs", SERIES, buckets((0, 0))))
    assert "Nothing happened in this time." in text
    assert "<svg role" not in text
    assert "legend" not in text


def test_lines_of_zeros_are_nothing_unless_zero_is_told_of_something():
    one = (charts.Series("Came", "active"),)
    assert charts.lines("f", "In and out", one, buckets((0,), (0,))).is_empty
    assert charts.lines("f", "In and out", one, buckets((0,), (None,), (1,))).is_empty is False
    rate = charts.lines("r", "Rate", one, buckets((0,), (0,)), form=percent_text)
    assert not rate.is_empty
    unknown = charts.lines("w", "Wait", one, buckets((None,), (None,)))
    assert (unknown.is_empty, unknown.summary) == (True, "Nothing was measured in this time.")


def test_a_reference_fits_on_the_axis():
    limit = charts.Reference(500, "limit 500")
    chart = charts.stacked("runs", "Runs", SERIES, buckets((3, 0)), reference=limit)
    assert (chart.reference, chart.ticks[0]) == (("0.00", "limit 500"), "500")


def test_a_histogram_shows_shares():
    chart = charts.histogram("d", "Durations", [("1 s", 3), ("2 s", 1), ("3 s", 0)])
    assert [row.cells for row in chart.rows] == [("3", "75.0%"), ("1", "25.0%")]
    assert chart.summary == "Durations: 4 runs, most of them (3) 1 s."


def test_dots_say_that_they_are_a_sample():
    points = [charts.Dot(at / 3000, at + 1, is_bad=at % 100 == 0) for at in range(3000)]
    twin = ("Run", "Took"), [charts.Row("run_1", ("1 s",), "/runs/run_1")]
    chart = charts.dots("d", "Starts", points, ("9:00",), of=41_212, twin=twin)
    assert chart.note == "2,000 of 41,212"
    assert sum(len(layer.dots) for layer in chart.layers) == 2000
    assert shown(chart).count("<circle") == 1980


def test_small_charts_have_a_sentence():
    for one in (
        sparks.spark([1, None, 3, 2], "backlog 2"),
        sparks.outcomes(["ok", "", "bad"], "one of two failed"),
        sparks.gauge(3, 4, "3 of 4"),
        sparks.gauge(3, None, "3, no limit"),
        sparks.spark([], "nothing"),
    ):
        assert f'aria-label="{one.summary}"' in shown(one, "spark")
    assert "–" in shown(None, "spark")


def test_hostile_labels_are_inert():
    chart = charts.stacked("k", "<b>", SERIES, [charts.Bucket("<script>", (1, 0), href='"><i>')])
    assert "<script>" not in shown(chart)
    assert "<b>&" not in shown(chart)


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (1, 1), (3, 4), (7, 8), (11, 12), (83, 100), (1030, 1200), (0.3, 0.3)],
)
def test_axes_end_at_round_numbers(value, top):
    assert round_up(value) == pytest.approx(top)


def test_numbers_are_short():
    assert [count_text(one) for one in (None, 3, 2.5, 41_212, 120_000, 3_400_000)] == [
        "–", "3", "2.5", "41,212", "120k", "3.4M",
    ]  # fmt: skip
    assert [percent_text(one) for one in (None, 0.0, 0.004, 0.5)] == ["–", "0%", "0.4%", "50%"]
