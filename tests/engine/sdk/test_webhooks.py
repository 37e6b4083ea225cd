import pytest

from engine import DuplicateWebhooks, InvalidOption, task, webhook
from engine.registry import registry
from engine.sdk.deliveries import delivery_of
from runs.webhooks import Webhook


@pytest.fixture(autouse=True)
def _no_tasks():
    registry.clear()


def body(payload):
    return payload


def test_a_task_declares_its_webhook():
    made = task(id="pushed", webhook=webhook.github("pushes", secret="HOOK"))(body)
    assert made.webhook.path == "pushes"
    assert made.webhook.headers == ("X-GitHub-Event", "X-GitHub-Hook-ID")


@pytest.mark.parametrize("preset", ["github", "stripe", "slack", "standard"])
def test_a_dict_says_the_same(preset):
    made = task(webhook={"preset": preset, "path": "a/b", "secret": ["NEW", "OLD"]})(body)
    assert made.webhook == getattr(webhook, preset)("a/b", secret=("NEW", "OLD"))


def test_a_dict_without_a_preset_is_an_hmac():
    made = task(webhook={"path": "a", "secret": "HOOK", "header": "X-Sig"})(body)
    assert made.webhook == webhook("a", secret="HOOK", header="X-Sig")


@pytest.mark.parametrize("preset", ["github", "stripe", "slack", "standard"])
def test_it_is_stored_as_json_without_the_secret(preset):
    made = getattr(webhook, preset)("a", secret="HOOK", headers=["X-More"])
    assert Webhook.from_json(made.to_json()) == made
    assert Webhook.from_json(made.to_json()[:-1] + ', "later": 1}') == made


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "/a"}, "A webhook's path has"),
        ({"path": "a/../b"}, "A webhook's path has"),
        ({"path": "a//b"}, "A webhook's path has"),
        ({"path": "a?b"}, "A webhook's path has"),
        ({"path": ""}, "A webhook's path has"),
        ({"path": "a" * 151}, "A webhook's path has"),
        ({"path": 7}, "A webhook's path has"),
        ({"secret": []}, "name of the environment variable"),
        ({"secret": None}, "secret is text or a list"),
        ({"header": "X Sig"}, "name of an HTTP header"),
        ({"headers": ["a b"]}, "name of an HTTP header"),
        ({"headers": 3}, "headers is text or a list"),
        ({"encoding": "octal"}, "encoding is one of hex, base64"),
        ({"algorithm": "md5"}, "algorithm is one of sha256"),
        ({"signed": "{body}."}, r"signed ends with \{body\}"),
        ({"signed": "{secret}{body}"}, "signed knows timestamp, id and body; not secret"),
        ({"signed": "{timestamp}.{body}"}, "timestamp is the header that"),
        ({"timestamp": "X-Time"}, "timestamp is the header that"),
        ({"delivery": "$"}, "delivery is a place as"),
        ({"remember": "soon"}, "remember"),
        ({"tolerance": -1}, "tolerance"),
        ({"tolerance": 0}, "tolerance is at least 1 second"),
        ({"tolernace": 5}, "webhook got an unexpected keyword argument 'tolernace'"),
    ],
)
def test_a_wrong_option_is_refused_where_it_stands(options, message):
    right = {"path": "a", "secret": "HOOK", "header": "X-Sig"}
    with pytest.raises(InvalidOption, match=f"Task “body”: .*{message}"):
        task(webhook=right | options)(body)
    assert registry.get("body") is None


@pytest.mark.parametrize("given", ["github", 3, {"preset": "gitlab"}, [("path", "a")]])
def test_what_is_no_webhook_is_refused(given):
    with pytest.raises(InvalidOption, match=r"webhook is webhook\.github"):
        task(webhook=given)(body)


@pytest.mark.parametrize("secret", ["whsec_c2VjcmV0", "a3f8c2", "not a name", "A B"])
def test_a_secret_in_place_of_its_name_is_refused_and_not_repeated(secret):
    with pytest.raises(InvalidOption, match="not the secret itself") as refused:
        task(webhook=webhook.github("a", secret=secret))(body)
    assert secret not in str(refused.value)


def test_two_tasks_cannot_have_one_path():
    task(id="first", webhook=webhook.github("a", secret="HOOK"))(body)
    with pytest.raises(DuplicateWebhooks, match=r"“first” at .*:\d+.* and “second” at .*:\d+"):
        task(id="second", webhook=webhook.stripe("a", secret="HOOK"))(body)
    assert registry.get("second") is None
    task(id="second", webhook=webhook.stripe("b", secret="HOOK"))(body)


def test_the_same_definition_may_be_imported_again():
    for _ in range(2):
        task(id="first", webhook=webhook.github("a", secret="HOOK"))(body)


@pytest.mark.parametrize(
    "reason", [{"webhook": webhook.github("a", secret="HOOK")}, {"schedule": "0 5 * * *"}]
)
def test_what_makes_runs_without_task_code_cannot_call_a_function_for_the_key(reason):
    with pytest.raises(InvalidOption, match=r"a place in the payload, as \$\.customer\.id"):
        task(id="keyed", concurrency_key=lambda payload: "k", **reason)(body)
    task(id="keyed", concurrency_key="$.id", **reason)(body)


def test_a_run_is_told_its_delivery():
    found = delivery_of({"webhook": {"path": "a", "id": "d-1", "headers": {"x-kind": "push"}}})
    assert (found.path, found.id, found.headers["x-kind"]) == ("a", "d-1", "push")


@pytest.mark.parametrize("metadata", [None, {}, {"webhook": 1}, {"webhook": {"path": "a"}}, []])
def test_other_runs_have_none(metadata):
    assert delivery_of(metadata) is None
