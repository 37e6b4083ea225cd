"""Random faults under load, the short form; `python -m tests.chaos` is the long one (docs/chaos.md).

CHAOS_SEED, CHAOS_RUNS and CHAOS_KILLS choose another campaign.
"""

import os

import pytest

from tests.chaos import campaign, checks, plan, report
from tests.chaos.field import opened

pytestmark = pytest.mark.acceptance
RUNS, KILLS = int(os.environ.get("CHAOS_RUNS", "90")), int(os.environ.get("CHAOS_KILLS", "8"))
FIGURES = plan.Figures(
    runs=RUNS,
    kills=KILLS,
    stops=1 + KILLS // 20,
    terminations=1 + KILLS // 10,
    losses=2 + KILLS // 10,
    nodes=2,
    webs=1,
    async_slots=2,
    ticks=4.0,
)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [int(os.environ.get("CHAOS_SEED", "20240607"))])
def test_random_faults_break_no_promise(site, seed):
    chosen = plan.made(seed, FIGURES)
    with opened(site, FIGURES) as field:
        found = campaign.run(field, chosen)
    print(report.text(chosen, found))
    assert not checks.broken(found)
