"""What OpenAI's own Python client makes of refusals, cuts, limits and clients that leave: each the class that its users catch."""

import json
import time
import urllib.request

import openai
import pytest

from conftest import MODEL


def ask(text: str) -> list:
    return [{"role": "user", "content": text}]


def another(house, **more) -> openai.OpenAI:
    return openai.OpenAI(**{"base_url": f"{house.url}/v1", "api_key": house.key, "timeout": 20, "max_retries": 0, "_strict_response_validation": True, **more})


def test_a_wrong_key(house):
    with pytest.raises(openai.AuthenticationError) as told:
        another(house, api_key="pk-wrong").chat.completions.create(model=MODEL, messages=ask("Hello"))
    assert told.value.status_code == 401 and told.value.code and told.value.type


def test_an_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as told:
        client.chat.completions.create(model="echo/absent-from-the-house", messages=ask("Hello"))
    assert told.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody/nothing")


def test_a_request_that_makes_no_sense(client):
    with pytest.raises(openai.BadRequestError) as told:
        client.chat.completions.create(model=MODEL, messages="not a list")
    assert told.value.status_code == 400 and told.value.code


def test_the_model_servers_own_refusal_comes_through(client):
    with pytest.raises(openai.BadRequestError) as told:
        client.chat.completions.create(model=MODEL, messages=ask("status=400 Hello"))
    assert told.value.code == "told_400" and told.value.type == "invalid_request_error"


def test_a_short_limit_is_waited_out_by_the_house(house):
    began = time.monotonic()
    raw = another(house).chat.completions.with_raw_response.create(model=MODEL, messages=ask("status=429 times=1 after=1 key=python-limit Hello"))
    assert raw.parse().choices[0].message.content == "Hello"
    assert raw.retries_taken == 0 and time.monotonic() - began >= 1


def test_a_limit_without_an_end_is_tried_again_by_the_client(house):
    raw = another(house, max_retries=2).chat.completions.with_raw_response.create(
        model=MODEL, messages=ask("status=429 times=1 key=python-endless Hello"))
    assert raw.parse().choices[0].message.content == "Hello" and raw.retries_taken == 1


def test_a_limit_longer_than_anybody_waits_says_when(client):
    with pytest.raises(openai.RateLimitError) as told:
        client.chat.completions.create(model=MODEL, messages=ask("status=429 after=30 Hello"))
    assert told.value.response.headers["retry-after"] == "30"


def test_one_failure_is_repeated_by_the_house(house, seen):
    raw = another(house).chat.completions.with_raw_response.create(model=MODEL, messages=ask("status=500 times=1 key=python-500 Hello"))
    assert raw.parse().choices[0].message.content == "Hello" and raw.retries_taken == 0


def test_a_server_that_stays_broken(client):
    with pytest.raises(openai.InternalServerError) as told:
        client.chat.completions.create(model=MODEL, messages=ask("status=500 Hello"))
    assert told.value.status_code == 500


def test_a_cut_stream_is_an_error_and_no_end(client):
    got = ""
    with pytest.raises(openai.APIError) as told:
        for chunk in client.chat.completions.create(model=MODEL, messages=ask("cut=2 one two three four"), stream=True):
            got += chunk.choices[0].delta.content or ""
            assert chunk.choices[0].finish_reason is None
    assert got == "one two " and told.value.message


def test_a_failure_before_the_stream_is_a_status(client):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=ask("status=400 Hello"), stream=True)


def test_the_clients_own_timeout(house):
    with pytest.raises(openai.APITimeoutError):
        another(house, timeout=0.3).chat.completions.create(model=MODEL, messages=ask("pace=400 one two three four"))


def test_a_reader_who_leaves_ends_the_upstream(house, seen):
    def left() -> int:
        with urllib.request.urlopen(f"{house.upstream}/__seen", timeout=10) as answer:
            return json.load(answer)["left"]

    before = left()
    stream = another(house).chat.completions.create(model=MODEL, messages=ask("pace=30 " + "word " * 100), stream=True)
    for number, _ in enumerate(stream):
        if number == 3:
            break
    stream.close()
    until = time.monotonic() + 2
    while left() == before and time.monotonic() < until:
        time.sleep(0.02)
    assert left() == before + 1


def test_an_unknown_route(house):
    with pytest.raises(openai.NotFoundError) as told:
        another(house).fine_tuning.jobs.list()
    assert told.value.code == "unknown_url"
