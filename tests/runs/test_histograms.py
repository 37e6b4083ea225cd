from runs import histograms


def test_every_time_has_its_range():
    assert [histograms.slot(ms) for ms in (0, 0.9, 1, 1999, 2000, 10**12)] == [0, 0, 1, 10, 11, 25]
    assert histograms.SLOTS == 26
    for place in range(histograms.SLOTS):
        low, high = histograms.ends(place)
        assert histograms.slot(low) == place
        assert high > low


def test_percentiles_lie_within_their_range():
    counts = {9: 90, 12: 10}
    assert 500 < histograms.quantile(counts, 0.5) < 1000
    assert 5000 < histograms.quantile(counts, 0.95) < 10_000
    assert histograms.quantile(counts, 1) == 10_000
    assert histograms.quantile({}, 0.5) is None


def test_text_keeps_the_counts():
    counts = {25: 1, 0: 7}
    assert histograms.dump(counts) == "0:7 25:1"
    assert histograms.load(histograms.dump(counts)) == counts
    assert histograms.load("") == {}


def test_adds_up():
    assert histograms.total([{1: 2}, {1: 3, 4: 1}]) == {1: 5, 4: 1}
