"""Anthropic's own Python client against `/v1/messages`: text, streams, tools, refusals. The model behind speaks OpenAI's dialect."""

import anthropic
import pytest

from conftest import MODEL

WEATHER = {"name": "weather", "description": "The weather of a city", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
CLOCK = {"name": "clock", "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}}


def another(house, **more) -> anthropic.Anthropic:
    return anthropic.Anthropic(**{"base_url": house.url, "api_key": house.key, "timeout": 20, "max_retries": 0, "_strict_response_validation": True, **more})


@pytest.fixture
def claude(house):
    with another(house) as one:
        yield one


def ask(text: str) -> list:
    return [{"role": "user", "content": text}]


# The protocol's own words; this version of the client has no arguments for them.
SAMPLED = {"temperature": 0.5, "top_p": 0.9}


def test_a_message(claude):
    answer = claude.messages.create(model=MODEL, max_tokens=100, messages=ask("Say this"), system="Be brief")
    assert answer.type == "message" and answer.role == "assistant" and answer.stop_reason == "end_turn"
    assert [(block.type, block.text) for block in answer.content] == [("text", "Say this")]
    assert answer.usage.output_tokens == 2 and answer.usage.input_tokens > 0


def test_the_system_prompt_arrives(claude, seen):
    claude.messages.create(model=MODEL, max_tokens=100, messages=ask("Say this"), system=[{"type": "text", "text": "Be brief"}],
                           stop_sequences=["END"], extra_body=SAMPLED)
    body = seen("/chat/completions")[-1]["body"]
    assert body["messages"][0]["role"] == "system" and "Be brief" in str(body["messages"][0]["content"])
    assert (body["temperature"], body["stop"], body["top_p"]) == (0.5, ["END"], 0.9)


def test_a_length_limit(claude):
    answer = claude.messages.create(model=MODEL, max_tokens=2, messages=ask("one two three"))
    assert answer.stop_reason == "max_tokens" and answer.content[0].text == "one two "


def test_a_stream(claude):
    with claude.messages.stream(model=MODEL, max_tokens=100, messages=ask("one two 三")) as stream:
        assert "".join(stream.text_stream) == "one two 三"
        last = stream.get_final_message()
    assert last.stop_reason == "end_turn" and last.usage.output_tokens == 3


def test_the_events_of_a_stream_come_in_order(claude):
    kinds = [event.type for event in claude.messages.create(model=MODEL, max_tokens=100, messages=ask("one two"), stream=True)]
    kinds = [kind for kind in kinds if kind != "ping"]
    assert kinds == ["message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop", "message_delta", "message_stop"]


def test_parallel_tools(claude):
    asked = ask("What is it like in Paris, and what time?")
    answer = claude.messages.create(model=MODEL, max_tokens=100, messages=asked, tools=[WEATHER, CLOCK])
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert answer.stop_reason == "tool_use" and [(call.name, call.input) for call in calls] == [("weather", {"city": "Paris"}), ("clock", {"zone": "Paris"})]
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"{call.name}: fine"} for call in calls]
    asked += [{"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]}, {"role": "user", "content": results}]
    answer = claude.messages.create(model=MODEL, max_tokens=100, messages=asked, tools=[WEATHER, CLOCK])
    assert answer.content[0].text == "The tools said: weather: fine; clock: fine"


def test_parallel_tools_streamed(claude):
    with claude.messages.stream(model=MODEL, max_tokens=100, messages=ask("Both"), tools=[WEATHER, CLOCK]) as stream:
        calls = [block for block in stream.get_final_message().content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [("weather", {"city": "Paris"}), ("clock", {"zone": "Paris"})]


def test_a_named_tool(claude):
    answer = claude.messages.create(model=MODEL, max_tokens=100, messages=ask("Now"), tools=[WEATHER, CLOCK], tool_choice={"type": "tool", "name": "clock"})
    assert [block.name for block in answer.content if block.type == "tool_use"] == ["clock"]


def test_a_picture_goes_in(claude):
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": source}]
    answer = claude.messages.create(model=MODEL, max_tokens=100, messages=[{"role": "user", "content": parts}])
    assert answer.content[0].text == "What is this? (and 1 pictures)"


def test_refusals_are_the_classes_that_are_caught(house, claude):
    with pytest.raises(anthropic.AuthenticationError) as told:
        another(house, api_key="pk-wrong").messages.create(model=MODEL, max_tokens=9, messages=ask("Hello"))
    assert told.value.body["type"] == "error" and told.value.body["error"]["type"] == "authentication_error"
    with pytest.raises(anthropic.NotFoundError) as told:
        claude.messages.create(model="echo/absent-from-the-house", max_tokens=9, messages=ask("Hello"))
    assert told.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.BadRequestError) as told:
        claude.messages.create(model=MODEL, max_tokens=9, messages="no list")
    assert told.value.body["error"]["type"] == "invalid_request_error"
    with pytest.raises(anthropic.InternalServerError):
        claude.messages.create(model=MODEL, max_tokens=9, messages=ask("status=500 Hello"))


def test_a_limit_without_an_end_is_tried_again_by_the_client(house):
    raw = another(house, max_retries=2).messages.with_raw_response.create(model=MODEL, max_tokens=9, messages=ask("status=429 times=1 key=claude-endless Hello"))
    assert raw.parse().content[0].text == "Hello" and raw.retries_taken == 1


def test_a_limit_longer_than_anybody_waits_says_when(claude):
    with pytest.raises(anthropic.RateLimitError) as told:
        claude.messages.create(model=MODEL, max_tokens=9, messages=ask("status=429 after=30 Hello"))
    assert told.value.response.headers["retry-after"] == "30" and told.value.body["error"]["type"] == "rate_limit_error"


def test_a_cut_stream_is_an_error_and_no_end(claude):
    got, kinds = "", []
    with pytest.raises(anthropic.APIError):
        for event in claude.messages.create(model=MODEL, max_tokens=100, messages=ask("cut=2 one two three"), stream=True):
            kinds.append(event.type)
            got += event.delta.text if event.type == "content_block_delta" else ""
    assert got == "one two " and "message_stop" not in kinds


def test_the_key_may_come_as_a_bearer_token(house):
    answer = another(house, api_key=None, auth_token=house.key).messages.create(model=MODEL, max_tokens=9, messages=ask("Hello"))
    assert answer.content[0].text == "Hello"


def test_our_own_engine(claude, local):
    answer = claude.messages.create(model=local, max_tokens=12, messages=ask("Once upon a time"), extra_body={"temperature": 0})
    assert answer.content[0].text and answer.stop_reason == "max_tokens" and answer.usage.output_tokens == 12
