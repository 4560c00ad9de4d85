"""PyPI's `openai` (AzureOpenAI) accepts the fixtures that our Azure adapter reads, in both forms of address."""

import json

import openai
import pytest
from vendor import Vendor

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def server():
    one = Vendor("azure")
    yield one.url
    one.stop()


@pytest.fixture(params=["versioned", "v1"])
def client(request, server):
    if request.param == "versioned":
        make, more = openai.AzureOpenAI, {"azure_endpoint": server, "api_version": "2024-10-21"}
    else:
        make, more = openai.OpenAI, {"base_url": f"{server}/openai/v1/"}
    with make(api_key="0123456789abcdef", timeout=20, max_retries=0, **more) as one:
        yield one


def asked(client, text, **more):
    return client.chat.completions.create(model="gpt-4o-eu", messages=[{"role": "user", "content": text}], **more)


def test_an_answer_in_one_piece(client):
    # Strict: whatever the types do not describe is an error.
    strict = client.with_options(_extra_kwargs={"_strict_response_validation": True})
    whole = asked(strict, "hello")
    assert whole.choices[0].message.content == "Hello, 世界! 🌍"
    assert whole.choices[0].finish_reason == "stop"
    assert (whole.usage.prompt_tokens, whole.usage.prompt_tokens_details.cached_tokens) == (12, 4)
    assert whole.choices[0].content_filter_results["hate"] == {"filtered": False, "severity": "safe"}
    assert whole.prompt_filter_results[0]["content_filter_results"]["jailbreak"]["detected"] is False


def test_a_streamed_answer(client):
    chunks = list(asked(client, "hello", stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices == [] and chunks[0].prompt_filter_results, "the prompt's own result comes first"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello, 世界! 🌍"
    assert chunks[-1].usage.total_tokens == 20


def test_streamed_tool_calls(client):
    calls: dict[int, list] = {}
    for chunk in asked(client, "weather?", stream=True):
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            held = calls.setdefault(call.index, [call.id, call.function.name, ""])
            held[2] += call.function.arguments or ""
    made = [(identity, name, json.loads(arguments)) for identity, name, arguments in calls.values()]
    assert made == [("call_w", "get_weather", {"city": "Paris"}), ("call_t", "get_time", {"zone": "Europe/Paris"})]


def test_an_answer_that_the_filter_ends(client):
    chunks = [chunk for chunk in asked(client, "filter the answer", stream=True) if chunk.choices]
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert chunks[-1].choices[0].content_filter_results["violence"]["filtered"] is True


def test_refusals_are_the_classes_that_its_users_catch(client):
    with pytest.raises(openai.BadRequestError) as filtered:
        asked(client, "filter the prompt")
    assert filtered.value.code == "content_filter"
    assert filtered.value.body["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    with pytest.raises(openai.NotFoundError) as missing:
        asked(client, "no deployment")
    assert missing.value.code == "DeploymentNotFound"
    with pytest.raises(openai.AuthenticationError):
        asked(client, "bad key")
    with pytest.raises(openai.RateLimitError) as limited:
        asked(client, "too many")
    assert limited.value.response.headers["retry-after"] == "7"


def test_what_the_resource_may_deploy(client):
    assert [model.id for model in client.models.list()] == ["gpt-4o-2024-08-06", "text-embedding-3-small"]


def test_embeddings(client):
    made = client.embeddings.create(model="embed-eu", input="hello", encoding_format="float")
    assert len(made.data[0].embedding) == 3
