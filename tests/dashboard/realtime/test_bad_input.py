"""Whatever comes in paths, queries and headers: a documented status, at once, and never a 500."""

import json
from urllib.parse import quote

import pytest

from tests.support.corpora import every, needs_corpora, strings
from tests.support.rows import executing_run

REFUSED = {200, 400, 401, 403, 404, 405, 409, 413, 414, 422, 431}
QUERIES = [
    *("", "offset=", "offset=-2", "offset=1", "offset=1_", "offset=now", "offset=%00"),
    *("offset=%ff", "offset=-1&live=true", f"offset={'9' * 400}_1", "offset=1_2_3"),
    *("offset=\u0661_1", "offset=-1&skipColumns=%00", f"offset=-1&skipColumns={'a,' * 60}"),
    "offset=-1&" + "&".join(f"a{n}=1" for n in range(60)),
    "offset=-1&x=" + "y" * 8000,
]
TAGS = [
    *("", "tags=", "tags=,", "tags=" + "x" * 129, "tags=%00", "tags=" + ",".join("abcdefghijk")),
    *("tags=a&createdAt=soon", "tags=a&createdAt=-1h", "tags=a&createdAt=9e99h"),
]
HANDLES = ["", "%00", "x", "tags-9999999999999999-0", "runs-1-" + "0" * 16]
HEADERS = [{"x-client-id": "x" * 101}, {"x-resume-from-chunk": "-1"}, {"x-resume-from-chunk": "9" * 16}]  # fmt: skip


@pytest.fixture
def asked(http):
    """The status of a request; no error is without its sentence."""

    def ask(method, path, **others):
        answer = http.request(method, f"/realtime/v1/{path}", **others)
        assert answer.status_code in REFUSED, (path, answer.status_code, answer.text)
        if answer.status_code >= 400 and answer.content and answer.status_code != 409:
            assert json.loads(answer.content)["error"]
        return answer.status_code

    return ask


def test_queries_handles_and_paths_that_cannot_be(asked):
    run, _ = executing_run()
    wanted = {f"GET runs/{run.pk}?{query}": 400 for query in QUERIES}
    wanted |= {f"GET runs?offset=-1&{query}": 400 for query in TAGS}
    for path in ("runs?tags=a", "batches/batch_1?", "runs/run_1?"):
        live = f"GET {path}&offset=1_1&live=true&cursor=1&handle="
        wanted |= {f"{live}{handle}": 409 for handle in HANDLES}
    for path in (f"runs/{run.pk}", "runs", "batches/b", f"streams/{run.pk}/k"):
        wanted |= {f"{method} {path}": 405 for method in ("PUT", "DELETE", "TRACE", "PROPFIND")}
    for path in ("", "x", "runs/a/b", "batches", "streams/run_1", "%00", "%ff"):
        wanted[f"GET {path}"] = 404

    def holds(request, status):
        method, _, path = request.partition(" ")
        assert asked(method, path) == status

    every(holds, wanted)


def test_headers_of_a_writer_that_cannot_be(asked):
    run, _ = executing_run()
    for headers in HEADERS:
        assert asked("POST", f"streams/{run.pk}/self/x", content=b"1", headers=headers) == 400


@needs_corpora
def test_no_text_in_a_place_is_an_error_of_ours(asked):
    run, _ = executing_run()
    for text in strings()[::17]:
        text = quote(text.encode("utf-8", "surrogatepass")[:300])
        asked("GET", f"runs/{text}?offset=-1")
        asked("GET", f"runs?offset=-1&tags={text}&skipColumns={text}")
        asked("GET", f"runs/{run.pk}?offset={text}&handle={text}&cursor={text}")
        asked("POST", f"streams/{run.pk}/self/{text}/append", content=b"x")
        asked("HEAD", f"streams/{text}/self/x")
