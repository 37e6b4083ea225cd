import pytest

from dashboard.launch import web


def test_serves_the_application_the_settings_name(settings):
    settings.ASGI_APPLICATION = "mysite.asgi.application"
    assert web.name() == "mysite.asgi.application"


def test_serves_the_asgi_module_beside_the_settings(settings, monkeypatch):
    settings.ASGI_APPLICATION = ""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    assert web.name() == "dashboard.asgi.application"


def test_serves_djangos_own_application_without_one(settings, monkeypatch):
    settings.ASGI_APPLICATION = ""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    assert web.name() == ""


def test_views_are_loaded_before_the_collector_is_told_to_pass_over_them(settings, monkeypatch):
    settings.ROOT_URLCONF = "tests.support.urls_of_none"
    frozen = []
    monkeypatch.setattr(web.gc, "freeze", lambda: frozen.append(True))
    with pytest.raises(ModuleNotFoundError, match="urls_of_none"):
        web.keep_what_stays()
    assert not frozen
    settings.ROOT_URLCONF = "dashboard.site"
    web.keep_what_stays()
    assert frozen
