import sys
import textwrap

import pytest

from engine import DuplicateTaskIds, discovery
from engine.discovery import discover
from engine.leftout import LeftOut
from engine.registry import registry
from engine.sdk.hooks import chain


@pytest.fixture
def task_dir(tmp_path, settings, monkeypatch):
    """An empty task directory, the only one; what it brings into `sys` goes again."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(discovery, "import_apps", lambda importer: [])
    settings.TRACKSIDE = {"TASK_DIRS": [str(tmp_path)], "VERSION": "v1"}
    modules = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("from engine import task\n" + textwrap.dedent(text))
    return path


def ids(catalog):
    return [task.id for task in catalog.tasks]


def test_finds_tasks_in_files_and_folders(task_dir):
    write(task_dir / "hello_one.py", "@task\ndef hello(): ...\n")
    write(task_dir / "mail" / "send_two.py", "@task(id='send')\ndef body(): ...\n")
    catalog = discover()
    assert (ids(catalog), catalog.broken, catalog.version) == (["hello", "send"], (), "v1")


@pytest.mark.parametrize("name", ["test_a.py", "a_test.py", "_private.py", ".hidden/a.py"])
def test_passes_over_tests_and_private_files(task_dir, name):
    write(task_dir / name, "@task\ndef hello(): ...\n")
    assert ids(discover()) == []


def test_passes_over_what_the_settings_say(task_dir, settings):
    for name in ("scripts/one.py", "scripts/deep/two.py", "billing_old.py", "kept_file.py"):
        write(task_dir / name, f"@task(id='{name}')\ndef body(): ...\n")
    settings.TRACKSIDE = settings.TRACKSIDE | {"TASK_IGNORE": ["scripts/*", "*_old.py"]}
    assert ids(discover()) == ["kept_file.py"]


def test_imports_init_first(task_dir, monkeypatch):
    write(task_dir / "a_first.py", "import os\nassert os.environ['SEEN'] == 'init'\n")
    write(task_dir / "init.py", "import os\nos.environ['SEEN'] = 'init'\n")
    monkeypatch.setenv("SEEN", "")
    assert discover().broken == ()


def test_files_may_import_each_other(task_dir):
    write(task_dir / "zz_shared.py", "@task\ndef shared(): ...\n")
    write(task_dir / "aa_uses.py", "from zz_shared import shared\n@task\ndef uses(): ...\n")
    assert ids(discover()) == ["shared", "uses"]


def test_a_file_may_be_named_like_a_standard_module(task_dir):
    import email  # noqa: PLC0415  what must stay

    write(task_dir / "email.py", "@task\ndef send(): ...\n")
    assert ids(discover()) == ["send"]
    assert sys.modules["email"] is email


BROKEN = """
    @task
    def first(): ...

    @task(id="second-task", retry={"max_attempts": 2})
    async def second(): ...

    @task(id="third" + "computed")
    def third(): ...

    raise %s
"""


@pytest.mark.parametrize("error", ["ValueError('no')", "SystemExit(0)", "KeyboardInterrupt"])
def test_a_file_that_fails_marks_its_tasks_and_no_others(task_dir, error):
    path = write(task_dir / "bad_file.py", BROKEN % error)
    write(task_dir / "good_file.py", "@task\ndef good(): ...\n")
    catalog = discover()
    assert ids(catalog) == ["good"]
    (broken,) = catalog.broken
    assert broken.path == str(path)
    assert broken.task_ids == ("first", "second-task", "thirdcomputed")
    assert error.split("(")[0] in broken.error
    assert registry.why_broken("first") == broken.error


def test_tasks_after_the_failure_are_found_by_reading(task_dir):
    write(
        task_dir / "bad_import.py",
        """
        import engine as e
        from engine import schedules, task as job
        import module_that_is_not_there

        @job
        def one(): ...

        @e.task(id="two")
        def body(): ...

        @schedules.task(id="four", cron="@daily")
        def body(): ...

        @e.schedules.task
        def five(): ...

        @other.task
        def three(): ...
        """,
    )
    assert discover().broken[0].task_ids == ("five", "four", "one", "two")


def test_a_syntax_error_is_a_broken_file(task_dir):
    write(task_dir / "no_python.py", "def (")
    (broken,) = discover().broken
    assert "SyntaxError" in broken.error
    assert broken.task_ids == ()


def test_types_of_payloads_are_checked_when_the_file_is_whole(task_dir):
    code = """
        from pydantic import BaseModel

        class Parcel(BaseModel):
            rows: list["Row"]

        @task
        def %s(payload: Parcel): ...
    """
    write(task_dir / "lost_type.py", code % "lost")
    write(task_dir / "late_type.py", code % "late" + "\n        class Row(BaseModel): ...")
    catalog = discover()
    assert ids(catalog) == ["late"]
    (broken,) = catalog.broken
    assert broken.task_ids == ("lost",)
    assert "“lost”" in broken.error
    assert "cannot be validated: name 'Row' is not defined" in broken.error


def test_a_file_that_is_left_out_is_broken_and_not_imported(task_dir):
    path = write(task_dir / "deadly_file.py", "@task\ndef dead(): ...\n1 / 0\n")
    write(task_dir / "living_file.py", "@task\ndef alive(): ...\n")
    left_out, heard = LeftOut(), []
    left_out.add(str(path), "It ended the process.")
    catalog = discover(left_out, heard.append)
    assert ids(catalog) == ["alive"]
    (broken,) = catalog.broken
    assert (broken.error, broken.task_ids) == ("It ended the process.", ("dead",))
    assert heard == [str(task_dir / "living_file.py"), ""]


def test_a_file_is_announced_before_the_package_it_is_in(task_dir):
    (task_dir / "deadly").mkdir()
    (task_dir / "deadly" / "__init__.py").write_text("raise KeyboardInterrupt\n")
    path = write(task_dir / "deadly" / "inside.py", "@task\ndef inside(): ...\n")
    heard = []
    (broken,) = discover(announce=heard.append).broken
    assert (broken.path, broken.task_ids) == (str(path), ("inside",))
    assert heard == [str(path), ""]


def test_a_file_that_changed_is_forgiven(tmp_path):
    path, left_out = write(tmp_path / "a.py", "1"), LeftOut()
    left_out.add(str(path), "no")
    assert left_out.forgive() == []
    assert left_out.why(path) == "no"
    write(path, "2")
    assert left_out.forgive() == [str(path)]
    assert left_out.why(path) is None


def test_without_its_init_nothing_of_a_directory_runs(task_dir):
    write(task_dir / "init.py", "raise ValueError('no hooks')")
    write(task_dir / "fine_file.py", "@task\ndef fine(): ...\n")
    catalog = discover()
    assert ids(catalog) == []
    assert [broken.task_ids for broken in catalog.broken] == [(), ("fine",)]


def test_one_id_in_two_files_refuses_to_start(task_dir):
    write(task_dir / "file_a.py", "@task(id='same')\ndef a(): ...\n")
    write(task_dir / "file_b.py", "@task(id='same')\ndef b(): ...\n")
    with pytest.raises(DuplicateTaskIds, match=r"file_a\.py:2 and .*file_b\.py:2"):
        discover()


def test_a_directory_that_is_not_there_is_empty(settings, tmp_path):
    settings.TRACKSIDE = {"TASK_DIRS": [str(tmp_path / "none")]}
    assert discovery.task_directories() == []


def test_the_version_of_changed_files_is_their_content(task_dir, settings, monkeypatch):
    monkeypatch.chdir(task_dir)
    settings.TRACKSIDE = {"TASK_DIRS": [str(task_dir)]}
    path = write(task_dir / "hashed_file.py", "X = 1\n")
    first = discover().version
    assert discover().version == first
    path.write_text("X = 2\n")
    assert discover().version != first


def test_tasks_nobody_exports_are_tasks_all_the_same(task_dir):
    write(task_dir / "_helpers.py", "@task\ndef _resize(): ...\n")
    write(
        task_dir / "gallery.py",
        """
        import _helpers

        def made(name):
            @task(id=name)
            def inner(): ...

        made("thumbnail")

        @task(id="gallery")
        def _gallery(): ...

        del _gallery, _helpers
        """,
    )
    assert ids(discover()) == ["_resize", "gallery", "thumbnail"]


def test_init_py_states_defaults_and_hooks_for_all_tasks(task_dir):
    write(task_dir / "a_first.py", "@task(retry={'max_attempts': 1})\ndef own(): ...\n")
    write(task_dir / "b_second.py", "@task\ndef plain(): ...\n")
    text = """
    from engine import defaults, hooks, retry

    defaults(retry=retry(max_attempts=9), max_duration="1h", machine="micro", ttl="1d")

    @hooks.on_failure
    def tell(error): ...
    """
    write(task_dir / "init.py", text)
    own, plain = discover().tasks
    assert (own.retry.max_attempts, own.max_duration) == (1, 3600)
    assert (plain.retry.max_attempts, plain.machine, plain.ttl) == (9, "micro", 86400)
    assert [hook.name for hook in chain(own.own_hooks)["on_failure"]] == ["tell"]


def test_hooks_of_a_file_that_failed_are_not_called(task_dir):
    text = (
        "from engine import hooks\nhooks.on_failure(lambda error: None)\nraise ValueError('no')\n"
    )
    write(task_dir / "broken_hooks.py", text)
    write(task_dir / "healthy.py", "@task\ndef healthy(): ...\n")
    (task,) = discover().tasks
    assert chain(task.own_hooks)["on_failure"] == ()
