"""What Portico makes of an OpenAI client's request for an Anthropic model is what the types of PyPI's `anthropic` describe."""

from collections.abc import Iterator

import pydantic
import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from asked import REQUESTS

MESSAGE = pydantic.TypeAdapter(MessageCreateParamsNonStreaming)


def read(value) -> None:
    """Lists are only looked at when they are gone through."""
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, (list, Iterator)) or type(value).__name__ in ("dict_values", "ValidatorIterator"):
        for one in value:
            read(one)


def judge(body: dict) -> None:
    known = MessageCreateParamsNonStreaming.__required_keys__ | MessageCreateParamsNonStreaming.__optional_keys__
    assert not body.keys() - known, body
    read(MESSAGE.validate_python(body))


def test_the_judge_refuses_what_is_wrong():
    for wrong in ({"max_tokens": 5, "messages": []}, {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": [{"type": "text"}]}]}):
        with pytest.raises(pydantic.ValidationError):
            judge(wrong)


@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS.keys())
def test_a_request(client, seen, asked):
    answer = client.chat.completions.create(model="anthropic-seen/m", **asked)
    assert answer.choices[0].message.content == "Hello, 世界! 🌍"
    sent = seen("/v1/messages")[-1]
    assert (sent["path"], sent["headers"]["x-api-key"], sent["headers"]["anthropic-version"]) == ("/anthropic/v1/messages", "k", "2026-10-21")
    judge(sent["body"])
