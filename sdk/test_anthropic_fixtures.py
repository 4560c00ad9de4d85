"""PyPI's `anthropic` accepts the very files that our Anthropic adapter is tested with, whole and streamed, with strict validation."""

import json
from pathlib import Path

import anthropic
import pytest
from vendor import Vendor

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def server():
    one = Vendor("anthropic")
    yield one
    one.stop()


@pytest.fixture
def client(server):
    """A client of one case: the address of the server, and the case as the beginning of the path."""
    made = []

    def of(case: str) -> anthropic.Anthropic:
        # Strict: whatever the types do not describe is an error.
        made.append(anthropic.Anthropic(base_url=f"{server.url}/{case}", api_key="k", timeout=20, max_retries=0, _strict_response_validation=True))
        return made[-1]

    yield of
    for one in made:
        one.close()


def whole(client, **more):
    return client.messages.create(model="m", max_tokens=99, messages=HELLO, **more)


def streamed(client):
    """The message as the client puts it together."""
    with client.messages.stream(model="m", max_tokens=99, messages=HELLO) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("ask", [whole, streamed])
def test_text_and_usage(client, ask):
    message = ask(client("text"))
    assert [(block.type, block.text) for block in message.content] == [("text", "Hello, 世界! 🌍")]
    assert message.stop_reason == "end_turn"
    usage = message.usage
    assert (usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (6, 2, 4, 8)


@pytest.mark.parametrize("ask", [whole, streamed])
def test_calls_side_by_side(client, ask):
    message = ask(client("tools"))
    assert message.stop_reason == "tool_use"
    thought, *calls = message.content
    assert (thought.type, thought.thinking, thought.signature) == ("thinking", "I must look.", "EqQBCgI=")
    assert [(call.type, call.id, call.name, call.input) for call in calls] == [
        ("tool_use", "toolu_01w", "get_weather", {"city": "Paris"}),
        ("tool_use", "toolu_01t", "get_time", {"zone": "Europe/Paris"}),
    ]


@pytest.mark.parametrize("ask", [whole, streamed])
def test_thoughts_open_and_redacted(client, ask):
    message = ask(client("thought"))
    assert [block.type for block in message.content] == ["thinking", "redacted_thinking", "text"]
    assert (message.content[0].thinking, message.content[2].text) == ("Two and two make four.", "4")
    assert message.usage.output_tokens_details.thinking_tokens == 6


@pytest.mark.parametrize("ask", [whole, streamed])
def test_a_schema(client, ask):
    assert json.loads(ask(client("schema")).content[0].text) == {"answer": 42}


@pytest.mark.parametrize(("case", "reason"), [("stopped", "max_tokens"), ("declined", "refusal")])
def test_endings(client, case, reason):
    assert streamed(client(case)).stop_reason == reason


def test_every_event_is_of_a_type_that_the_client_knows(client):
    with client("text").messages.create(model="m", max_tokens=99, messages=HELLO, stream=True) as events:
        kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds[-2:] == ["message_delta", "message_stop"]
    assert kinds.count("content_block_delta") == 3


@pytest.mark.parametrize(("case", "words"), [("fault", 0), ("late_fault", 1)])
def test_an_error_inside_a_stream(client, case, words):
    heard = []
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        with client(case).messages.create(model="m", max_tokens=99, messages=HELLO, stream=True) as events:
            heard.extend(event for event in events if event.type == "content_block_delta")
    assert len(heard) == words


def test_refusals_are_the_classes_that_its_users_catch(client):
    for case, kind, word in [
        ("refused", anthropic.AuthenticationError, "authentication_error"),
        ("no_model", anthropic.NotFoundError, "not_found_error"),
        ("over_limit", anthropic.RateLimitError, "rate_limit_error"),
        ("too_long", anthropic.BadRequestError, "invalid_request_error"),
        ("rejected", anthropic.BadRequestError, "invalid_request_error"),
        ("broken", anthropic.InternalServerError, "api_error"),
        ("overloaded", anthropic.InternalServerError, "overloaded_error"),
    ]:
        with pytest.raises(kind) as refused:
            whole(client(case))
        assert refused.value.type == word, case
        if case == "over_limit":
            assert refused.value.response.headers["retry-after"] == "7"


def test_the_list_of_models(client):
    [model] = client("text").models.list()
    assert (model.id, model.max_input_tokens, model.max_tokens) == ("m", 200_000, 64_000)
    assert model.capabilities.thinking.types.adaptive.supported and not model.capabilities.effort.max.supported


def test_every_file_was_shown():
    """A case that is added to the folder is added here, too."""
    folder = Path(__file__).resolve().parent.parent / "crates/models/tests/fixtures/anthropic"
    here = Path(__file__).read_text()
    unshown = [file.name for file in folder.glob("*.*") if file.stem not in ("index", "models") and f'"{file.stem}"' not in here]
    assert unshown == []
