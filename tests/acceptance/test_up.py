import shutil
import signal
import socket
import sqlite3
import time
from contextlib import closing

import httpx
import pytest

from tests.support.instance import running, started_anew
from tests.support.site import copied
from tests.support.upping import Up, gone, write
from tests.support.waiting import eventually

pytestmark = pytest.mark.acceptance

TASK = "from engine import task\n\n\n@task(id={id!r})\ndef body(payload):\n    return payload\n"


@pytest.fixture(scope="module")
def first(tmp_path_factory, django_db_setup, django_db_blocker):
    """Started with nothing there: no tables, no collected files."""
    home = tmp_path_factory.mktemp("up")
    with django_db_blocker.unblock(), started_anew(home) as instance:
        yield Up(instance).ready()


@pytest.fixture
def up(first):
    """The one all tests share that leave it running."""
    return first.ready()


@pytest.fixture
def again(first, template, tmp_path, django_db_blocker):
    """An instance that was up before: the tables and the collected files are there."""
    shutil.copytree(first.static, tmp_path / "var" / "static")
    with (
        django_db_blocker.unblock(),
        copied(template, tmp_path) as url,
        running(url, tmp_path) as made,
    ):
        yield made


def test_says_what_it_started_in_one_line_each(up):
    names = [line.split("  ")[0] for line in up.output.splitlines()[:4]]
    assert names == ["Database", "Web", "Cluster", "Log in"]


def test_its_link_logs_the_first_administrator_in_once(up):
    with httpx.Client() as browser:
        token = browser.get(up.link).cookies["trackside-csrf"]
        assert browser.post(up.link, headers={"X-CSRFToken": token}).status_code == 302
        assert browser.get(f"{up.address}/").status_code == 200
    assert httpx.get(up.link).status_code == 410


def test_ctrl_c_stops_everything(again):
    up = Up(again).ready()
    children = up.children()
    assert up.stop() == 0
    assert gone(children)
    assert up.output.endswith("Stopped.\n")


@pytest.mark.once
def test_a_second_ctrl_c_stops_at_once(again):
    up = Up(again, TRACKSIDE_DRAIN_SECONDS="600").ready()
    children = up.children()
    up.signal(signal.SIGINT)
    eventually(lambda: "Stopping" in up.output)
    assert up.stop(within=5) == 0
    assert gone(children)


@pytest.mark.once
@pytest.mark.parametrize("word", ["dashboard.launch.web", "qcluster"])
def test_starts_again_what_dies(up, word):
    first = up.child(word)
    first.kill()
    eventually(lambda: (found := up._find(word)) and found.pid != first.pid)
    assert "stopped by itself (SIGKILL)" in up.output


@pytest.mark.once
def test_a_web_server_that_is_replaced_refuses_nobody(up):
    first = up.child("dashboard.launch.web")
    first.kill()
    assert httpx.get(f"{up.address}/login/", timeout=20).status_code == 200


def settled(up):
    """Wait until no process below comes or goes any more."""
    pids = [set()]

    def stay():
        pids.append({child.pid for child in up.children()})
        return pids[-1] == pids[-2] or time.sleep(0.3)

    eventually(stay)


@pytest.mark.once
def test_reload_replaces_only_the_cluster_of_a_changed_task_and_killed_nothing_outlives_it(again):
    tasks = again.home / "tasks"
    path = write(tasks, "mine.py", TASK.format(id="mine"))
    up = Up(again, "--reload", TRACKSIDE_TASK_DIRS=str(tasks)).ready()
    web, cluster = up.child("dashboard.launch.web"), up.child("qcluster")
    eventually(lambda: httpx.get(f"{up.address}/login/").is_success)
    settled(up)
    assert web.is_running()
    assert cluster.is_running()
    assert "changed" not in up.output
    path.write_text(TASK.format(id="other"))
    eventually(lambda: f"{path} changed; restarting cluster." in up.output)
    # The old cluster alone may take its grace of 8 s.
    eventually(lambda: gone([cluster]) and up._find("qcluster"), within=30)
    assert web.is_running()
    children = up.children()
    up.process.kill()
    eventually(lambda: gone(children), within=15)


def refusal(instance, *flags, **environment):
    """What `up` says when it does not start: one line, no traceback."""
    done = instance.manage("up", *flags, **environment)
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert done.returncode == 1
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.once
def test_refuses_a_busy_port(new_instance):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Port {port} on 127.0.0.1 is in use" in refusal(new_instance, "--port", port)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PORT": "http"}, "PORT must be a whole number"),
        ({"WORKERS": "0"}, "WORKERS must be a whole number"),
        ({"DATABASE_URL": "mysql://h/n"}, "DATABASE_URL must look like"),
        ({"DATABASE_URL": "postgres://u@127.0.0.1:1/n"}, "Cannot reach the database"),
        ({"DATABASE_URL": "sqlite:////no/such/directory/f"}, "Cannot open the database file"),
        ({"TRACKSIDE_DATA_DIR": "/dev/null/var"}, "cannot write to the directory"),
        ({"TRACKSIDE_ENVIRONMENT_KIND": "prod", "SECRET_KEY": "x"}, "SECRET_KEY must be set"),
    ],
)
@pytest.mark.once
def test_refuses_a_bad_setting_in_one_sentence(new_instance, environment, words):
    assert words in refusal(new_instance, "--check", **environment)


@pytest.mark.once
def test_refuses_two_tasks_of_one_id_and_names_both_files(new_instance):
    tasks = new_instance.home / "tasks"
    paths = [write(tasks, name, TASK.format(id="same")) for name in ("a.py", "b.py")]
    line = refusal(new_instance, "--check", TRACKSIDE_TASK_DIRS=str(tasks))
    assert all(str(path) in line for path in paths)


@pytest.mark.once
def test_checked_it_warns_of_a_file_that_does_not_import_and_leaves_the_database_alone(
    new_instance,
):
    tasks = new_instance.home / "tasks"
    path = write(tasks, "broken.py", "import no_such_module\n")
    done = new_instance.manage("up", "--check", TRACKSIDE_TASK_DIRS=str(tasks))
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr
    assert "No module named 'no_such_module'" in done.stderr
    assert "Ready" in done.stdout
    with closing(sqlite3.connect(new_instance.home / "fresh.sqlite3")) as database:
        assert not database.execute("SELECT name FROM sqlite_master").fetchall()
