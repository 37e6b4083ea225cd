import pytest

from dashboard.launch import assets


@pytest.fixture
def root(settings, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.css").write_text("a { color: blue }\n" * 100)
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    return source


def test_collects_once_and_again_after_a_change(root, settings):
    assert assets.collect_if_stale()
    assert list(settings.STATIC_ROOT.glob("a.*.css.gz"))
    assert not assets.collect_if_stale()
    (root / "a.css").write_text("a { color: red }")
    assert assets.collect_if_stale()


def test_leaves_a_project_alone_that_serves_plain_files(settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    assert not assets.collect_if_stale()
