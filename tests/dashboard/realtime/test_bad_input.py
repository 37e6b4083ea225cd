"""Whatever comes in paths, queries and headers: a documented status, at once, and never a 500."""

import json
from urllib.parse import quote

import pytest

from tests.support.corpora import needs_corpora, strings
from tests.support.rows import executing_run, queued_run

REFUSED = {200, 400, 401, 403, 404, 405, 409, 413, 414, 422, 431}


def asked(http, method, path, **others):
    answer = http.request(method, path, **others)
    assert answer.status_code in REFUSED, (path, answer.status_code, answer.text)
    if answer.status_code >= 400 and answer.content and answer.status_code != 409:
        assert json.loads(answer.content)["error"]
    return answer


@pytest.mark.parametrize(
    "query",
    [
        "",
        "offset=",
        "offset=-2",
        "offset=1",
        "offset=1_",
        "offset=now",
        "offset=%00",
        "offset=%ff",
        "offset=-1&live=true",
        f"offset={'9' * 400}_1",
        "offset=1_2_3",
        "offset=\u0661_1",
        "offset=-1&skipColumns=%00",
        f"offset=-1&skipColumns={'a,' * 60}",
        "offset=-1&" + "&".join(f"a{n}=1" for n in range(60)),
        "offset=-1&x=" + "y" * 8000,
    ],
)
def test_a_query_that_cannot_be_is_a_400(http, query):
    run = queued_run()
    assert asked(http, "GET", f"/realtime/v1/runs/{run.pk}?{query}").status_code == 400


@pytest.mark.parametrize(
    "query",
    ["", "tags=", "tags=,", "tags=" + "x" * 129, "tags=%00", "tags=" + ",".join("abcdefghijk"),
     "tags=a&createdAt=soon", "tags=a&createdAt=-1h", "tags=a&createdAt=9e99h"],
)  # fmt: skip
def test_tags_that_cannot_be_are_a_400(http, query):
    assert asked(http, "GET", f"/realtime/v1/runs?offset=-1&{query}").status_code == 400


@pytest.mark.parametrize(
    "handle", ["", "%00", "x", "tags-9999999999999999-0", "runs-1-" + "0" * 16]
)
@pytest.mark.parametrize("path", ["runs?tags=a", "batches/batch_1?", "runs/run_1?"])
def test_a_handle_that_is_none_must_start_again(http, path, handle):
    answer = asked(
        http, "GET", f"/realtime/v1/{path}&offset=1_1&live=true&handle={handle}&cursor=1"
    )
    assert answer.status_code == 409
    assert answer.headers["electric-handle"]


@needs_corpora
def test_no_text_in_a_place_is_an_error_of_ours(http):
    run, _ = executing_run()
    for text in strings()[::17]:
        text = quote(text.encode("utf-8", "surrogatepass")[:300])
        asked(http, "GET", f"/realtime/v1/runs/{text}?offset=-1")
        asked(http, "GET", f"/realtime/v1/runs?offset=-1&tags={text}&skipColumns={text}")
        asked(http, "GET", f"/realtime/v1/runs/{run.pk}?offset={text}&handle={text}&cursor={text}")
        asked(http, "POST", f"/realtime/v1/streams/{run.pk}/self/{text}/append", content=b"x")
        asked(http, "HEAD", f"/realtime/v1/streams/{text}/self/x")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "X"])
def test_a_method_nobody_takes_is_a_405(http, method):
    run = queued_run()
    for path in (f"runs/{run.pk}", "runs", "batches/b", f"streams/{run.pk}/k"):
        assert asked(http, method, f"/realtime/v1/{path}").status_code == 405


@pytest.mark.parametrize("path", ["", "x", "runs/a/b", "batches", "streams/run_1", "%00", "%ff"])
def test_a_path_nobody_has_is_a_404(http, path):
    assert asked(http, "GET", f"/realtime/v1/{path}").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [{"x-client-id": "x" * 101}, {"x-resume-from-chunk": "-1"}, {"x-resume-from-chunk": "9" * 16}],
)
def test_a_writers_header_that_cannot_be_is_a_400(http, headers):
    run, _ = executing_run()
    path = f"/realtime/v1/streams/{run.pk}/self/x"
    assert asked(http, "POST", path, content=b"1", headers=headers).status_code == 400
