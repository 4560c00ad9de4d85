"""PyPI's `google-genai` accepts the very files that our Gemini adapter is tested with, whole and streamed. Its types forbid fields
that they do not know."""

import json
from pathlib import Path

import pytest
from google import genai
from google.genai import errors, types
from vendor import Vendor


@pytest.fixture(scope="module")
def server():
    one = Vendor("gemini")
    yield one
    one.stop()


@pytest.fixture(params=["v1beta", "v1"])
def client(server, request):
    """A client of one case: the address of the server, and the case as the beginning of the path."""
    made = []

    def of(case: str) -> genai.Client:
        options = types.HttpOptions(base_url=f"{server.url}/{case}", api_version=request.param, timeout=20_000)
        made.append(genai.Client(api_key="k", vertexai=False, http_options=options))
        return made[-1]

    yield of
    for one in made:
        one.close()


class Answer:
    """One answer, put together from its pieces."""

    def __init__(self, pieces: list):
        self.pieces = pieces
        candidates = [piece.candidates[0] for piece in pieces if piece.candidates]
        self.parts = [part for one in candidates if one.content for part in one.content.parts or []]
        self.text = "".join(part.text or "" for part in self.parts if not part.thought)
        self.thought = "".join(part.text or "" for part in self.parts if part.thought)
        self.calls = [part.function_call for part in self.parts if part.function_call]
        self.finish = next((one.finish_reason for one in reversed(candidates) if one.finish_reason), None)
        self.usage = pieces[-1].usage_metadata


def whole(client, **config):
    return Answer([client.models.generate_content(model="m", contents="hello", config=config or None)])


def streamed(client, **config):
    return Answer(list(client.models.generate_content_stream(model="m", contents="hello", config=config or None)))


@pytest.mark.parametrize("ask", [whole, streamed])
def test_text_and_usage(client, ask):
    answer = ask(client("text"))
    assert (answer.text, answer.finish) == ("Hello, 世界! 🌍", types.FinishReason.STOP)
    usage = answer.usage
    assert (usage.prompt_token_count, usage.cached_content_token_count, usage.candidates_token_count, usage.total_token_count) == (12, 4, 8, 20)
    assert answer.pieces[0].response_id == "mAitaLmkHPPlz7IPvtfUqQ4"


@pytest.mark.parametrize("ask", [whole, streamed])
def test_calls_side_by_side(client, ask):
    answer = ask(client("tools"))
    assert [(call.name, call.args) for call in answer.calls] == [("get_weather", {"city": "Paris"}), ("get_time", {"zone": "Europe/Paris"})]
    signed = [part.thought_signature is not None for part in answer.parts if part.function_call]
    assert signed == [True, False]
    assert answer.finish == types.FinishReason.STOP


@pytest.mark.parametrize("ask", [whole, streamed])
def test_thoughts(client, ask):
    answer = ask(client("thought"))
    assert (answer.thought, answer.text) == ("Two and two make four.", "4")
    assert (answer.usage.thoughts_token_count, answer.usage.candidates_token_count) == (6, 2)


@pytest.mark.parametrize("ask", [whole, streamed])
def test_a_schema(client, ask):
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}}
    answer = ask(client("schema"), response_mime_type="application/json", response_json_schema=schema)
    assert json.loads(answer.text) == {"answer": 42}


@pytest.mark.parametrize("ask", [whole, streamed])
def test_log_probabilities(client, ask):
    answer = ask(client("logprobs"), response_logprobs=True, logprobs=1)
    weights = [piece.candidates[0].logprobs_result for piece in answer.pieces]
    chosen = [(one.token, one.log_probability) for weight in weights for one in weight.chosen_candidates]
    assert (answer.text, chosen) == ("Yes.", [("Yes", -0.25), (".", -0.5)])
    assert [step.candidates[0].token for weight in weights for step in weight.top_candidates] == ["Yes", "."]


@pytest.mark.parametrize(("case", "finish"), [("stopped", "MAX_TOKENS"), ("declined", "SAFETY"), ("malformed", "MALFORMED_FUNCTION_CALL")])
def test_endings(client, case, finish):
    assert streamed(client(case)).finish == finish


@pytest.mark.parametrize("ask", [whole, streamed])
def test_a_question_that_the_filter_blocks(client, ask):
    [piece] = ask(client("blocked")).pieces
    assert piece.candidates is None and piece.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT


@pytest.mark.parametrize(("case", "words"), [("fault", ""), ("late_fault", "Hello, ")])
def test_an_error_inside_a_stream(client, case, words):
    heard = []
    with pytest.raises(errors.ServerError) as failed:
        heard.extend(piece.text for piece in client(case).models.generate_content_stream(model="m", contents="hello"))
    assert ("".join(heard), failed.value.code, failed.value.status) == (words, 503, "UNAVAILABLE")


def test_refusals_are_the_classes_that_its_users_catch(client):
    for case, kind, code, status in [
        ("refused", errors.ClientError, 400, "INVALID_ARGUMENT"),
        ("no_model", errors.ClientError, 404, "NOT_FOUND"),
        ("over_limit", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        ("too_long", errors.ClientError, 400, "INVALID_ARGUMENT"),
        ("rejected", errors.ClientError, 400, "INVALID_ARGUMENT"),
        ("broken", errors.ServerError, 500, "INTERNAL"),
        ("overloaded", errors.ServerError, 503, "UNAVAILABLE"),
    ]:
        for ask in (whole, streamed):
            with pytest.raises(kind) as refused:
                ask(client(case))
            assert (refused.value.code, refused.value.status) == (code, status), case
            assert refused.value.message, case


def test_vectors(client):
    made = client("vectors").models.embed_content(model="m", contents=["one", "two"])
    assert [one.values for one in made.embeddings] == [[0.5, -1.0, 0.25], [0.25, 0.5, -1.0]]
    assert made.usage_metadata.prompt_token_count == 3


def test_the_list_of_models(client):
    models = {model.name: model for model in client("text").models.list(config={"query_base": True})}
    assert (models["models/m"].input_token_limit, models["models/m"].thinking) == (1_048_576, True)
    assert "embedContent" in models["models/gemini-embedding-001"].supported_actions


def test_every_file_was_shown():
    """A case that is added to the folder is added here, too."""
    folder = Path(__file__).resolve().parent.parent / "crates/models/tests/fixtures/gemini"
    here = Path(__file__).read_text()
    unshown = [file.name for file in folder.glob("*.*") if file.stem not in ("index", "models") and f'"{file.stem}"' not in here]
    assert unshown == []
