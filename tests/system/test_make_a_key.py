import pytest
from playwright.sync_api import expect

from runs.lifecycle import apikeys

pytestmark = [pytest.mark.system, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def test_a_key_is_made_copied_and_revoked(person):
    person.goto("/runs")
    person.keyboard.press("g")
    person.keyboard.press("a")
    person.wait_for_url("**/settings/keys")
    person.get_by_label("Name").fill("backend")
    person.get_by_label("Role").select_option("operator")
    person.get_by_role("button", name="Create the key").click()
    text = person.locator("#made-key").inner_text()
    assert apikeys.verify(text).role == "operator"
    person.get_by_role("button", name="Copy").click()
    expect(person.locator("#say")).to_have_text("Copied")
    person.get_by_role("link", name="Revoke backend").click()
    person.get_by_role("button", name="Revoke the key").click()
    expect(person.get_by_text("Revoked the key “backend”")).to_be_visible()
    assert apikeys.verify(text) is None
