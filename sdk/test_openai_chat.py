"""Chat through OpenAI's own Python client: plain, streamed, tools, structure, what a gateway tends to drop."""

import asyncio
import json
from typing import Literal

import openai
import pytest
from pydantic import BaseModel

from conftest import MODEL

WEATHER = {"type": "function", "function": {"name": "weather", "description": "The weather of a city", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
    "required": ["city", "unit"], "additionalProperties": False}}}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {
    "type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}}}


def ask(text: str) -> list:
    return [{"role": "user", "content": text}]


def test_a_plain_answer(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask("Say this"))
    assert answer.object == "chat.completion" and answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content == "Say this" and answer.choices[0].message.role == "assistant"
    assert answer.usage.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}) == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


def test_headers_name_the_turn(client):
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ask("Say this"))
    assert raw.headers["x-portico-turn"] and raw.headers["content-type"] == "application/json"
    assert raw.parse().choices[0].message.content == "Say this"


def test_a_stream(client):
    chunks = list(client.chat.completions.create(model=MODEL, messages=ask("one two 三 四"), stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two 三 四"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 11
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_a_stream_without_usage_has_none(client):
    chunks = list(client.chat.completions.create(model=MODEL, messages=ask("one two"), stream=True))
    assert all(chunk.usage is None and len(chunk.choices) == 1 for chunk in chunks)


def test_the_stream_helper(client):
    with client.chat.completions.stream(model=MODEL, messages=ask("one two three")) as stream:
        events = list(stream)
        last = stream.get_final_completion()
    assert [event.delta for event in events if event.type == "content.delta" and event.delta] == ["one ", "two ", "three"]
    assert events[-1].type == "content.done" and events[-1].content == "one two three"
    assert last.choices[0].message.content == "one two three"


def test_parallel_tools(client):
    asked = ask("What is it like in Paris, and what time?")
    answer = client.chat.completions.create(model=MODEL, messages=asked, tools=[WEATHER, CLOCK], parallel_tool_calls=True)
    choice = answer.choices[0]
    calls = [(call.id, call.function.name, json.loads(call.function.arguments)) for call in choice.message.tool_calls]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    assert calls == [("call_0", "weather", {"city": "Paris", "unit": "C"}), ("call_1", "clock", {"zone": "Paris"})]
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name}: fine"} for call in choice.message.tool_calls]
    asked += [choice.message.model_dump(exclude_none=True), *results]
    answer = client.chat.completions.create(model=MODEL, messages=asked, tools=[WEATHER, CLOCK])
    assert answer.choices[0].message.content == "The tools said: weather: fine; clock: fine"


def test_parallel_tools_streamed(client):
    with client.chat.completions.stream(model=MODEL, messages=ask("Both"), tools=[WEATHER, CLOCK]) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("weather", {"city": "Paris", "unit": "C"}), ("clock", {"zone": "Paris"})]
    assert {event.name for event in done} == {"weather", "clock"}


def test_a_named_tool(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask("Now"), tools=[WEATHER, CLOCK],
                                            tool_choice={"type": "function", "function": {"name": "clock"}})
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == ["clock"]


class City(BaseModel):
    name: str
    kind: Literal["capital", "town"]
    people: int
    rivers: list[str]


def test_structured_output(client):
    answer = client.chat.completions.parse(model=MODEL, messages=ask("Tell me of Paris"), response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", kind="capital", people=42, rivers=["Paris"])


def test_structured_output_streamed(client):
    with client.chat.completions.stream(model=MODEL, messages=ask("Tell me of Paris"), response_format=City) as stream:
        stream.until_done()
        parsed = stream.get_final_completion().choices[0].message.parsed
    assert parsed == City(name="Paris", kind="capital", people=42, rivers=["Paris"])


def test_json_mode(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask("Say this"), response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content) == {"echo": "Say this"}


def test_logprobs(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask("one two"), logprobs=True, top_logprobs=2)
    content = answer.choices[0].logprobs.content
    assert [(one.token, one.logprob, len(one.top_logprobs)) for one in content] == [("one ", -0.25, 2), ("two", -0.25, 2)]


def test_reasoning_text_passes(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask("think=Hm Say this"))
    assert answer.choices[0].message.model_extra["reasoning_content"] == "Hm"
    chunks = client.chat.completions.create(model=MODEL, messages=ask("think=Hm Say this"), stream=True)
    assert "".join((chunk.choices[0].delta.model_extra or {}).get("reasoning_content", "") for chunk in chunks) == "Hm"


def test_several_choices(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask("Say this"), n=3)
    assert [(choice.index, choice.message.content) for choice in answer.choices] == [(0, "Say this"), (1, "Say this"), (2, "Say this")]


def test_a_length_limit(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask("one two three"), max_completion_tokens=2)
    assert answer.choices[0].message.content == "one two " and answer.choices[0].finish_reason == "length"


def test_a_picture_goes_in(client):
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    assert answer.choices[0].message.content == "What is this? (and 1 pictures)"


def test_what_gateways_drop_arrives(client, seen):
    client.chat.completions.create(model=MODEL, messages=ask("all of it"), seed=7, user="ada", logit_bias={"5": -1}, presence_penalty=0.5,
                                   parallel_tool_calls=False, tools=[CLOCK], metadata={"a": "b"}, extra_body={"top_k": 3})
    body = seen("/chat/completions")[-1]["body"]
    assert body["model"] == "echo"
    assert {name: body[name] for name in ("seed", "user", "logit_bias", "presence_penalty", "parallel_tool_calls", "metadata", "top_k")} == {
        "seed": 7, "user": "ada", "logit_bias": {"5": -1}, "presence_penalty": 0.5, "parallel_tool_calls": False, "metadata": {"a": "b"}, "top_k": 3}


def test_the_older_completions(client, lenient):
    answer = client.completions.create(model=MODEL, prompt="Say this")
    assert answer.choices[0].text == "Say this" and answer.object == "text_completion"
    # OpenAI's own server says `finish_reason: null` before the end, which its client's types do not know.
    chunks = list(lenient.completions.create(model=MODEL, prompt="one two", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == "one two"


def test_filling_in_the_middle(client):
    answer = client.completions.create(model=MODEL, prompt="def f(", suffix="return 1")
    assert answer.choices[0].text == "between 'def f(' and 'return 1'"


def test_models(client):
    names = [model.id for model in client.models.list()]
    assert MODEL in names
    one = client.models.retrieve(MODEL)
    assert (one.id, one.object, one.created, one.owned_by) == (MODEL, "model", 1_700_000_000, "Echo")


def test_many_at_once(house):
    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key, timeout=20, max_retries=0, _strict_response_validation=True) as client:
            async def one(number: int) -> str:
                chunks = await client.chat.completions.create(model=MODEL, messages=ask(f"pace=5 number {number} it is"), stream=True)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

            return await asyncio.gather(*[one(number) for number in range(20)])

    assert asyncio.run(all_of_them()) == [f"number {number} it is" for number in range(20)]


def test_our_own_engine(client, local):
    answer = client.chat.completions.create(model=local, messages=ask("Once upon a time"), max_tokens=12, temperature=0)
    assert answer.choices[0].message.content and answer.usage.completion_tokens <= 12
    chunks = list(client.chat.completions.create(model=local, messages=ask("Once upon a time"), max_tokens=12, temperature=0, stream=True,
                                                 stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == answer.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == answer.usage.completion_tokens


def test_our_own_engine_streams_logprobs_or_says_why_not(client, local):
    try:
        answer = client.chat.completions.create(model=local, messages=ask("Once"), max_tokens=4, temperature=0, logprobs=True, top_logprobs=2)
    except openai.BadRequestError as error:
        pytest.fail(f"the engine refuses logprobs: {error}")
    assert answer.choices[0].logprobs and len(answer.choices[0].logprobs.content) >= 1
