"""OpenAI's own Python client before models that speak Anthropic's and Gemini's dialects, with strict validation: what it reads is
what the vendors' fixtures say, and what a dialect has no word for is told."""

import json

import openai
import pytest

KINDS = ["anthropic", "gemini"]
HELLO = [{"role": "user", "content": "hello"}]
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {
    "type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]}}}
    for name, argument in (("get_weather", "city"), ("get_time", "zone"))]


class Answer:
    """One answer, put together from its pieces."""

    def __init__(self, pieces: list):
        choices = [piece.choices[0] for piece in pieces if piece.choices]
        said = [getattr(choice, "delta", None) or choice.message for choice in choices]
        self.text = "".join(one.content or "" for one in said)
        self.thought = "".join(getattr(one, "reasoning_content", None) or "" for one in said)
        self.calls: dict[int, list] = {}
        for one in said:
            for at, call in enumerate(one.tool_calls or []):
                held = self.calls.setdefault(getattr(call, "index", at), [call.id, call.function.name, ""])
                held[2] += call.function.arguments or ""
        self.weights = [token for choice in choices if choice.logprobs for token in choice.logprobs.content]
        self.finish = [choice.finish_reason for choice in choices if choice.finish_reason][-1]
        self.usage = pieces[-1].usage


def whole(client, model, **more) -> Answer:
    return Answer([client.chat.completions.create(model=model, messages=HELLO, **more)])


def streamed(client, model, **more) -> Answer:
    return Answer(list(client.chat.completions.create(model=model, messages=HELLO, stream=True, stream_options={"include_usage": True}, **more)))


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize("kind", KINDS)
def test_text_and_usage(client, kind, ask):
    answer = ask(client, f"{kind}-text/m")
    assert (answer.text, answer.finish) == ("Hello, 世界! 🌍", "stop")
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.prompt_tokens_details.cached_tokens) == (12, 8, 20, 4)


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize("kind", KINDS)
def test_calls_side_by_side_and_their_results(client, kind, ask):
    answer = ask(client, f"{kind}-tools/m", tools=TOOLS)
    made = [(name, json.loads(arguments)) for _, name, arguments in answer.calls.values()]
    assert (made, answer.finish) == ([("get_weather", {"city": "Paris"}), ("get_time", {"zone": "Europe/Paris"})], "tool_calls")
    calls = [{"id": one, "type": "function", "function": {"name": name, "arguments": arguments}} for one, name, arguments in answer.calls.values()]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "21"} for call in calls]
    history = [*HELLO, {"role": "assistant", "content": None, "tool_calls": calls}, *results]
    next_one = client.chat.completions.create(model=f"{kind}-text/m", messages=history, tools=TOOLS)
    assert next_one.choices[0].message.content == "Hello, 世界! 🌍"


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize("kind", KINDS)
def test_thoughts(client, kind, ask):
    answer = ask(client, f"{kind}-thought/m", reasoning_effort="low")
    assert (answer.thought, answer.text) == ("Two and two make four.", "4")
    assert answer.usage.completion_tokens_details.reasoning_tokens == 6


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema(client, kind):
    shape = {"name": "reply", "strict": True, "schema": {
        "type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"], "additionalProperties": False}}
    answer = whole(client, f"{kind}-schema/m", response_format={"type": "json_schema", "json_schema": shape})
    assert json.loads(answer.text) == {"answer": 42}


@pytest.mark.parametrize("ask", [whole, streamed])
def test_log_probabilities(client, ask):
    answer = ask(client, "gemini-logprobs/m", logprobs=True, top_logprobs=1)
    assert (answer.text, [(token.token, token.logprob) for token in answer.weights]) == ("Yes.", [("Yes", -0.25), (".", -0.5)])
    assert answer.weights[0].top_logprobs[0].bytes == list(b"Yes")
    assert (answer.finish, answer.usage.total_tokens) == ("stop", 20)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("case", "reason"), [("stopped", "length"), ("declined", "content_filter")])
def test_endings(client, kind, case, reason):
    assert streamed(client, f"{kind}-{case}/m").finish == reason


@pytest.mark.parametrize("asked", [{}, {"encoding_format": "float"}])
def test_vectors(lenient, asked):
    # Left to itself the client asks for base64 and unpacks it; its strict check would refuse its own wish.
    made = lenient.embeddings.create(model="gemini-vectors/m", input=["one", "two"], **asked)
    assert [one.embedding for one in made.data] == [[0.5, -1.0, 0.25], [0.25, 0.5, -1.0]]
    assert made.usage.prompt_tokens == 3


@pytest.mark.parametrize(("kind", "dropped"), [("anthropic", "seed, temperature"), ("gemini", "user")])
def test_what_has_no_word_is_named(client, kind, dropped):
    raw = client.chat.completions.with_raw_response.create(model=f"{kind}-text/m", messages=HELLO, temperature=0.5, seed=7, user="u1")
    assert ", ".join(sorted(raw.headers["x-portico-dropped"].split(", "))) == dropped
    assert raw.parse().choices[0].message.content == "Hello, 世界! 🌍"


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_done_without_is_refused(client, kind):
    with pytest.raises(openai.BadRequestError) as refused:
        whole(client, f"{kind}-text/m", n=2)
    assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "n")


@pytest.mark.parametrize("ask", [whole, streamed])
@pytest.mark.parametrize("kind", KINDS)
def test_refusals_are_the_classes_that_its_users_catch(client, kind, ask):
    with pytest.raises(openai.BadRequestError) as long:
        ask(client, f"{kind}-too-long/m")
    assert long.value.code == "context_length_exceeded"
    # Portico's own key is wrong, which is not the client's to mend.
    with pytest.raises(openai.InternalServerError) as barred:
        ask(client, f"{kind}-refused/m")
    assert (barred.value.status_code, barred.value.code) == (502, "upstream_refused")


@pytest.mark.parametrize("ask", [whole, streamed])
def test_a_question_that_googles_filter_blocks(client, ask):
    with pytest.raises(openai.BadRequestError) as blocked:
        ask(client, "gemini-blocked/m")
    assert blocked.value.code == "content_filter"


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_breaks_off_is_an_error(client, kind):
    heard = []
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(model=f"{kind}-late-fault/m", messages=HELLO, stream=True):
            heard.append(chunk.choices[0].delta.content or "")
    assert "".join(heard) == "Hello, "
