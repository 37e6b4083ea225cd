import os

from dashboard.launch.watch import Watch


def test_sees_a_file_that_appears_changes_and_goes(tmp_path):
    watch = Watch([tmp_path], [])
    file = tmp_path / "package" / "tasks.py"
    file.parent.mkdir()
    file.write_text("a")
    assert watch.changed() == file
    os.utime(file, ns=(0, 1))
    assert watch.changed() == file
    file.unlink()
    assert watch.changed() == file
    assert watch.changed() is None


def test_looks_only_at_sources(tmp_path):
    watch = Watch([tmp_path], [])
    for name in (".git/a.py", "__pycache__/a.py", "var/a.py", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert watch.changed() is None


def test_leaves_out_what_another_watch_looks_at(tmp_path):
    inner = tmp_path / "tasks"
    inner.mkdir()
    watch = Watch([tmp_path], [], without=[inner])
    (inner / "a.py").touch()
    assert watch.changed() is None


def test_a_directory_may_be_missing(tmp_path):
    assert Watch([tmp_path / "missing"], []).changed() is None
