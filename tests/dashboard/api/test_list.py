from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from runs import lifecycle
from runs.ids import RANDOM_BITS, encode
from runs.models import Queue, Run, Source
from runs.reads.deadline import TooSlow

pytestmark = pytest.mark.django_db


def run(task="hello", **options):
    asked = lifecycle.TriggerOptions(**options)
    return lifecycle.trigger(task, "1", asked, source=Source.API).run_id


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["data"]]


def listed(api, **filters):
    return ids(api.get("/api/v1/runs", **{f"filter[{name}]": v for name, v in filters.items()}))


def test_lists_newest_first_without_payloads(api):
    made = [run() for _ in range(3)]
    answer = api.get("/api/v1/runs")
    assert ids(answer) == made[::-1]
    item = answer.json()["data"][0]
    assert item["env"] == {"id": "env_dev", "name": "Development"}
    assert not {"payload", "output"} & item.keys()
    assert None not in item.values()


def test_pages_both_ways_without_losing_a_run(api):
    made = [run() for _ in range(5)][::-1]
    first = api.get("/api/v1/runs", **{"page[size]": 2})
    second = api.get("/api/v1/runs", **{"page[size]": 2, "page[after]": next_of(first)})
    third = api.get("/api/v1/runs", **{"page[size]": 2, "page[after]": next_of(second)})
    assert ids(first) + ids(second) + ids(third) == made
    assert [sorted(page.json()["pagination"]) for page in (first, second, third)] == [
        ["next"],
        ["next", "previous"],
        ["previous"],
    ]
    before = third.json()["pagination"]["previous"]
    back = api.get("/api/v1/runs", **{"page[size]": 2, "page[before]": before})
    assert (ids(back), next_of(back)) == (ids(second), made[3])


def next_of(answer):
    return answer.json()["pagination"]["next"]


def test_an_empty_page_has_an_empty_pagination(api):
    assert api.get("/api/v1/runs").json() == {"data": [], "pagination": {}}


def test_reads_each_page_in_few_queries(api, django_assert_max_num_queries):
    for _ in range(20):
        run(tags=("a",))
    with django_assert_max_num_queries(9):
        api.get("/api/v1/runs", **{"filter[tag]": "a"})


def test_filters_by_every_field(api):
    Queue.objects.create(name="emails")
    wanted = run(
        "greet", queue="emails", tags=("vip", "x"), machine="micro", version="2", is_test=True
    )
    run()
    assert listed(api, taskIdentifier="greet,nobody") == [wanted]
    assert listed(api, queue="emails") == [wanted]
    assert listed(api, tag="nobody,vip") == [wanted]
    assert listed(api, machine="micro") == [wanted]
    assert listed(api, version="2") == [wanted]
    assert listed(api, isTest="true") == [wanted]
    assert listed(api, status="PENDING_VERSION", isTest="true", queue="emails") == [wanted]
    assert listed(api, status="COMPLETED") == []
    assert listed(api, batch="batch_1") == listed(api, schedule="sched_1") == []
    assert listed(api, bulkAction="bulk_1") == listed(api, region="eu") == []
    assert listed(api, queue="task/hello") != [wanted]


def aged(days):
    moment = timezone.now() - timedelta(days=days)
    row = Run.objects.get(pk=run())
    row.pk = "run_" + encode((int(moment.timestamp() * 1000) << RANDOM_BITS) + 7)
    row.save(force_insert=True)
    return row.pk


def test_a_list_without_a_window_goes_back_seven_days(api):
    old, older = aged(6), aged(8)
    assert old in listed(api)
    assert older not in listed(api)
    assert older in listed(api, **{"createdAt][period": "9d"})
    assert older in listed(api, **{"createdAt][from": "0"})
    week_ago = str(int((timezone.now() - timedelta(days=7)).timestamp() * 1000))
    assert listed(api, **{"createdAt][to": week_ago}) == [older]


def test_the_project_path_lists_the_same(api):
    made = run()
    assert ids(api.get("/api/v1/projects/proj_x/runs", **{"filter[env]": "dev"})) == [made]


def test_repeated_parameters_are_joined(api):
    made = [run("a"), run("b")]
    path = "/api/v1/runs?filter[taskIdentifier]=a&filter[taskIdentifier]=b"
    assert ids(api.get(path)) == made[::-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("filter[status]", "DONE"),
        ("filter[machine]", "huge"),
        ("filter[isTest]", "1"),
        ("filter[colour]", "red"),
        ("filter[createdAt][from]", "yesterday"),
        ("filter[createdAt][from]", "9" * 30),
        ("filter[createdAt][from]", "١"),
        ("filter[createdAt][period]", "x"),
        ("filter[taskIdentifier]", "a\x00b"),
        ("filter[tag]", ",".join(str(n) for n in range(101))),
        ("filter[tag]", "x" * 1001),
        ("page[size]", "0"),
        ("page[size]", "101"),
        ("page[size]", "٣"),
        ("page[size]", "ten"),
        ("page[after]", "run_'; --"),
        ("page[before]", "../x"),
    ],
)
def test_refuses_what_it_does_not_understand(api, name, value):
    answer = api.get("/api/v1/runs", **{name: value})
    assert answer.status_code == 400
    assert name in answer.json()["error"]


def test_a_moment_before_ids_began_is_no_error(api):
    made = run()
    assert made in listed(api, **{"createdAt][from": "0", "createdAt][period": "100w"})
    far = str(int(datetime(2200, 1, 1, tzinfo=UTC).timestamp() * 1000))
    assert made in listed(api, **{"createdAt][to": far})


def test_a_list_that_takes_too_long_says_so(api, monkeypatch):
    def slow(*arguments):
        raise TooSlow(2.0)

    monkeypatch.setattr("dashboard.api.pagination.paged", slow)
    answer = api.get("/api/v1/runs")
    assert (answer.status_code, answer["x-should-retry"]) == (503, "false")
    assert "longer than 2 s" in answer.json()["error"]


def test_takes_a_search_as_the_dashboard_does(api, time_machine):
    old = run("mail", tags=("eu",))
    time_machine.move_to(timezone.now() + timedelta(days=8))
    new = run("mail", tags=("us",))
    assert listed(api, query="task:m* -tag:eu") == [new]
    assert listed(api, query="tag:eu") == []
    assert listed(api, query="tag:eu after:9d") == [old]
    refused = api.get("/api/v1/runs", **{"filter[query]": "tag:x taks:y"})
    assert refused.status_code == 400
    assert "character 7" in refused.json()["error"]
