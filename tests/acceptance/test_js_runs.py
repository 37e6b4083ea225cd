"""The reference's client triggers, reads and changes runs of a real web server and cluster."""

import pytest

from tests.support.client import Refused

pytestmark = pytest.mark.acceptance


def test_a_run_is_triggered_and_read(js, calm):
    made = js("runs.trigger", "work", {"to": "ann"}, {"tags": ["b", "a"]})
    calm.accepted.append(made["id"])
    calm.completed(made["id"])
    run = js("runs.retrieve", made["id"])
    assert (run["status"], run["payload"], run["tags"]) == ("COMPLETED", {"to": "ann"}, ["a", "b"])


def test_what_is_refused_is_the_clients_error(js):
    with pytest.raises(Refused, match="at most 10 tags; got 11") as refused:
        js("runs.trigger", "work", {}, {"tags": [f"{n}" for n in range(11)]})
    assert (refused.value.kind, refused.value.status) == ("UnprocessableEntityError", 422)
