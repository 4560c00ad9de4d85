"""Embeddings, responses, files, speech, transcription and pictures through OpenAI's own Python client."""

import io
import json

import openai
import pytest
from pydantic import BaseModel

from conftest import MODEL

CLOCK = {"type": "function", "name": "clock", "strict": True, "parameters": {
    "type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"], "additionalProperties": False}}
WEATHER = {"type": "function", "name": "weather", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}


# ── embeddings

def test_embeddings(client):
    answer = client.embeddings.create(model="echo/echo-embedding", input=["one", "two", "one"], encoding_format="float")
    vectors = [one.embedding for one in answer.data]
    assert [one.index for one in answer.data] == [0, 1, 2] and len(vectors[0]) == 8
    assert vectors[0] == vectors[2] != vectors[1]
    assert answer.usage.prompt_tokens == 3 and answer.model


def test_embeddings_as_base64_are_the_same(client, lenient):
    # Left to itself the client asks for base64 and decodes it; its strict check comes before that, and would refuse its own wish.
    numbers = client.embeddings.create(model="echo/echo-embedding", input="one", encoding_format="float", dimensions=4)
    encoded = lenient.embeddings.create(model="echo/echo-embedding", input="one", dimensions=4)
    assert numbers.data[0].embedding == encoded.data[0].embedding and len(numbers.data[0].embedding) == 4


# ── responses

def test_a_response(client):
    answer = client.responses.create(model=MODEL, input="Say this", instructions="Be brief")
    assert answer.status == "completed" and answer.object == "response" and answer.output_text == "Say this"
    assert answer.output[0].type == "message" and answer.output[0].role == "assistant"
    assert answer.usage.output_tokens == 2 and answer.usage.total_tokens == answer.usage.input_tokens + 2


def test_instructions_become_the_first_message(client, seen):
    client.responses.create(model=MODEL, input=[{"role": "user", "content": "Say this"}], instructions="Be brief", temperature=0.5, max_output_tokens=99)
    body = seen("/chat/completions")[-1]["body"]
    assert [(one["role"], one["content"]) for one in body["messages"]][0] in (("system", "Be brief"), ("developer", "Be brief"))
    assert body["temperature"] == 0.5 and 99 in (body.get("max_completion_tokens"), body.get("max_tokens"))


def test_a_response_streamed(client):
    with client.responses.stream(model=MODEL, input="one two three") as stream:
        events = list(stream)
        last = stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "one two three"
    assert [event.text for event in events if event.type == "response.output_text.done"] == ["one two three"]
    numbers = [event.sequence_number for event in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert last.output_text == "one two three" and last.usage.output_tokens == 3


def test_tools_of_a_response(client):
    asked = [{"role": "user", "content": "What is it like in Paris, and what time?"}]
    answer = client.responses.create(model=MODEL, input=asked, tools=[WEATHER, CLOCK])
    calls = [one for one in answer.output if one.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [("weather", {"city": "Paris"}), ("clock", {"zone": "Paris"})]
    asked += [call.model_dump(exclude_none=True) for call in calls]
    asked += [{"type": "function_call_output", "call_id": call.call_id, "output": f"{call.name}: fine"} for call in calls]
    assert client.responses.create(model=MODEL, input=asked, tools=[WEATHER, CLOCK]).output_text == "The tools said: weather: fine; clock: fine"


def test_tools_of_a_response_streamed(client):
    with client.responses.stream(model=MODEL, input="Both", tools=[WEATHER, CLOCK]) as stream:
        done = [event for event in stream if event.type == "response.function_call_arguments.done"]
        calls = [one for one in stream.get_final_response().output if one.type == "function_call"]
    assert [json.loads(event.arguments) for event in done] == [{"city": "Paris"}, {"zone": "Paris"}]
    assert [call.name for call in calls] == ["weather", "clock"]


def test_the_reasoning_of_a_response_streamed(client):
    with client.responses.stream(model=MODEL, input="think=Hm Say this", reasoning={"effort": "low"}) as stream:
        events = list(stream)
        last = stream.get_final_response()
    assert "".join(event.delta for event in events if event.type == "response.reasoning_text.delta") == "Hm"
    assert [event.text for event in events if event.type == "response.reasoning_text.done"] == ["Hm"]
    assert [(one.type, one.status) for one in last.output] == [("reasoning", "completed"), ("message", "completed")]
    assert last.output[0].content[0].text == "Hm" and last.output_text == "Say this" and last.reasoning.effort == "low"


def test_the_likelihoods_of_a_response(client):
    asked = dict(model=MODEL, input="one two", include=["message.output_text.logprobs"], top_logprobs=2)
    whole = client.responses.create(**asked).output[0].content[0].logprobs
    assert [(one.token, one.logprob, len(one.top_logprobs)) for one in whole] == [("one ", -0.25, 2), ("two", -0.25, 2)]
    with client.responses.stream(**asked) as stream:
        told = [one.token for event in stream if event.type == "response.output_text.delta" for one in event.logprobs]
        assert [one.token for one in stream.get_final_response().output[0].content[0].logprobs] == told == ["one ", "two"]


def test_a_picture_and_what_was_said_before(client, seen):
    client.responses.create(model=MODEL, store=False, input=[
        {"role": "user", "content": [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}]},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "content": [{"type": "output_text", "text": "A dot.", "annotations": []}]},
        {"role": "user", "content": "Sure?"}])
    first, second, third = seen("/chat/completions")[-1]["body"]["messages"]
    assert first["content"][1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "auto"}}
    assert (second["role"], second["content"], third["content"]) == ("assistant", "A dot.", "Sure?")


def test_a_file_in_a_response_and_the_items_that_were_sent(client, seen):
    made = client.files.create(file=("notes.txt", "今天下雨".encode()), purpose="user_data")
    answer = client.responses.create(model=MODEL, input=[{"role": "user", "content": [
        {"type": "input_file", "file_id": made.id}, {"type": "input_text", "text": "What is the weather?"}]}])
    told = seen("/chat/completions")[-1]["body"]["messages"][0]["content"]
    assert [part["text"] for part in told] == ["notes.txt:\n\n今天下雨", "What is the weather?"]
    sent = list(client.responses.input_items.list(answer.id))
    assert [(one.type, one.role, one.content[0].file_id) for one in sent] == [("message", "user", made.id)]
    client.files.delete(made.id)


class City(BaseModel):
    name: str
    people: int


def test_a_response_by_schema(client):
    answer = client.responses.parse(model=MODEL, input="Tell me of Paris", text_format=City)
    assert answer.output_parsed == City(name="Paris", people=42)


def test_a_response_is_kept_and_gone_on_with(client):
    first = client.responses.create(model=MODEL, input="Remember the word", store=True)
    again = client.responses.retrieve(first.id)
    assert again.id == first.id and again.output_text == "Remember the word"
    second = client.responses.create(model=MODEL, input="And this", previous_response_id=first.id)
    assert second.previous_response_id == first.id and second.usage.input_tokens > first.usage.input_tokens
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_a_response_that_is_not_kept(client):
    answer = client.responses.create(model=MODEL, input="Forget this", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


def test_a_cut_response_fails_in_words(client):
    got, failed = "", None
    try:
        for event in client.responses.create(model=MODEL, input="cut=2 one two three", stream=True):
            got += event.delta if event.type == "response.output_text.delta" else ""
            assert event.type != "response.completed"
            failed = event if event.type in ("response.failed", "error") else failed
    except openai.APIError as error:
        failed = error
    assert got == "one two " and failed is not None


def test_a_response_of_our_own_engine(client, local):
    answer = client.responses.create(model=local, input="Once upon a time", max_output_tokens=16, temperature=0)
    assert answer.output_text and answer.usage.output_tokens <= 16
    assert answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens"


def test_what_a_response_cannot_be_asked_is_refused(client):
    with pytest.raises(openai.BadRequestError) as told:
        client.responses.create(model=MODEL, input="Hello", tools=[{"type": "web_search"}])
    assert told.value.code


# ── files

def test_files(client):
    content = b'{"custom_id": "1"}\n' * 3
    made = client.files.create(file=("asked.jsonl", content), purpose="user_data")
    assert made.bytes == len(content) and made.filename == "asked.jsonl" and made.object == "file" and made.purpose == "user_data"
    assert made.id in [one.id for one in client.files.list()]
    assert client.files.retrieve(made.id).filename == "asked.jsonl"
    assert client.files.content(made.id).read() == content
    assert client.files.delete(made.id).deleted is True
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


def test_a_file_with_a_chinese_name(client):
    made = client.files.create(file=("会议记录.txt", "你好".encode()), purpose="assistants")
    assert client.files.retrieve(made.id).filename == "会议记录.txt"
    assert client.files.content(made.id).text == "你好"
    client.files.delete(made.id)


def test_files_page_by_page(client):
    made = [client.files.create(file=(f"{name}.txt", name.encode()), purpose="vision").id for name in "abc"]
    first = client.files.list(purpose="vision", limit=2)
    assert [one.id for one in first.data] == made[:0:-1] and first.has_more
    assert [one.id for one in client.files.list(purpose="vision", limit=1)] == made[::-1]
    assert [one.id for one in client.files.list(purpose="vision", order="asc", after=made[0])] == made[1:]
    for one in made:
        client.files.delete(one)


def test_a_file_that_ends(client):
    made = client.files.create(file=("a.txt", b"a"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600})
    assert made.expires_at - made.created_at in (3600, 3601)
    client.files.delete(made.id)


def test_what_a_file_cannot_be_for(client):
    with pytest.raises(openai.BadRequestError) as told:
        client.files.create(file=("a.txt", b"a"), purpose="fun")
    assert told.value.param == "purpose"


# ── sound and pictures

def test_speech(client):
    answer = client.audio.speech.create(model="echo/echo-voice", voice="alloy", input="Say this")
    assert answer.read() == b"ID3Say this" and answer.response.headers["content-type"] == "audio/mpeg"


def test_transcription(client):
    sound = io.BytesIO(b"RIFF" + bytes(range(256)) * 8)
    sound.name = "talk.wav"
    assert client.audio.transcriptions.create(model="echo/echo-ear", file=sound).text == f"{4 + 256 * 8} bytes of sound"


def test_transcription_as_text(client):
    sound = io.BytesIO(b"RIFF1234")
    sound.name = "talk.wav"
    assert client.audio.transcriptions.create(model="echo/echo-ear", file=sound, response_format="text").strip() == "8 bytes of sound"


def test_pictures(client):
    answer = client.images.generate(model="echo/echo-picture", prompt="A house", n=2, size="1024x1024")
    assert len(answer.data) == 2 and answer.data[0].b64_json.startswith("iVBOR")


def test_the_wrong_task_for_a_model_is_an_error(client, local):
    with pytest.raises(openai.APIStatusError) as told:
        client.images.generate(model=local, prompt="A house")
    assert 400 <= told.value.status_code < 500
