"""What OpenAI's own Python client makes of a key that may not do everything: 403 and 429 are different classes to its users."""

import openai
import pytest

from conftest import MODEL


def ask(house, name: str, **more):
    client = openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.keys[name], timeout=20, max_retries=0, _strict_response_validation=True)
    return client.chat.completions.create(**{"model": MODEL, "messages": [{"role": "user", "content": "Hello there"}], **more})


def test_a_key_for_another_model(house):
    with pytest.raises(openai.PermissionDeniedError) as told:
        ask(house, "one model")
    assert told.value.status_code == 403 and told.value.code == "model_not_allowed"


def test_such_a_key_sees_its_own_models_only(house):
    client = openai.OpenAI(base_url=f"{house.url}/v1", api_key=house.keys["one model"], timeout=20, max_retries=0)
    assert [model.id for model in client.models.list()] == ["echo/echo-embedding"]


def test_a_key_used_from_elsewhere(house):
    with pytest.raises(openai.PermissionDeniedError) as told:
        ask(house, "elsewhere")
    assert told.value.code == "address_not_allowed"


def test_a_pace_that_is_kept(house):
    answers = [ask(house, "two a minute").choices[0].message.content for _ in range(2)]
    assert answers == ["Hello there", "Hello there"]
    with pytest.raises(openai.RateLimitError) as told:
        ask(house, "two a minute")
    assert 1 <= int(told.value.response.headers["retry-after"]) <= 60


def test_a_budget_that_is_spent(house):
    with pytest.raises(openai.RateLimitError) as told:
        for _ in range(3):
            ask(house, "five tokens")
    assert told.value.code and "token" in told.value.message


def test_a_stream_is_refused_with_a_status_too(house):
    with pytest.raises(openai.PermissionDeniedError):
        ask(house, "one model", stream=True)
