import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command


@pytest.mark.parametrize("wrong", ["0", "-1", "2.5", "1025", "many"])
def test_refuses_a_number_of_workers_that_is_none(wrong):
    with pytest.raises(CommandError, match="a whole number from 1 to 1024 is needed, not"):
        call_command("qcluster", f"--workers={wrong}")


def test_a_cluster_imports_no_page():
    """They would double the memory of every worker."""
    code = """
import sys
from django.core.management import ManagementUtility
from engine.management.commands import qcluster
qcluster.database_problem = lambda: ""
qcluster.cluster.run = lambda **_: print(sorted(m for m in sys.modules if "pages" in m))
ManagementUtility(["manage.py", "qcluster"]).execute()
"""
    told = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup()\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"
