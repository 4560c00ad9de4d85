"""PyPI's `ollama` accepts the scripted Ollama that our adapter and the provider card's test talk to."""

import ollama
import pytest
from vendor import Vendor


@pytest.fixture(scope="module")
def server():
    one = Vendor("ollama")
    yield one.url
    one.stop()


@pytest.fixture
def client(server):
    return ollama.Client(host=server, timeout=20)


def test_list_and_show(client):
    models = client.list().models
    assert [model.model for model in models] == ["llama3:latest", "mistral:latest", "nomic-embed-text:latest"]
    assert (models[0].size, models[0].details.quantization_level) == (4661224676, "Q4_0")
    shown = client.show("mistral")
    assert shown.capabilities == ["completion", "tools"]
    assert shown.modelinfo["llama.context_length"] == 32768
    assert "[INST]" in shown.template


def test_load_ps_and_unload(client):
    assert client.generate("llama3", keep_alive="10m").done_reason == "load"
    loaded = client.ps().models
    assert [(one.model, one.context_length) for one in loaded] == [("llama3:latest", 4096)]
    assert loaded[0].expires_at is not None and loaded[0].size_vram == loaded[0].size
    assert client.generate("llama3", keep_alive=0).done_reason == "unload"
    assert client.ps().models == []


def test_pull_with_progress_and_delete(client):
    steps = list(client.pull("qwen3:8b", stream=True))
    assert steps[0].status == "pulling manifest" and steps[-1].status == "success"
    layer = [step for step in steps if step.digest and step.digest.startswith("sha256:6a0746")]
    assert [step.completed for step in layer] == [None, 1165302856, 4661211424]
    assert "qwen3:8b" in [model.model for model in client.list().models]
    assert client.delete("qwen3:8b").status == "success"
    with pytest.raises(ollama.ResponseError) as gone:
        client.delete("qwen3:8b")
    assert gone.value.status_code == 404


def test_a_pull_that_fails_says_why(client):
    with pytest.raises(ollama.ResponseError, match="file does not exist"):
        list(client.pull("no-such-model", stream=True))


def test_chat_whole_and_streamed(client):
    question = [{"role": "user", "content": "good morning"}]
    whole = client.chat("llama3", question)
    assert (whole.message.content, whole.done, whole.done_reason) == ("You said: good morning", True, "stop")
    pieces = list(client.chat("llama3", question, stream=True))
    assert "".join(piece.message.content for piece in pieces) == "You said: good morning"
    assert pieces[-1].done and pieces[-1].eval_count == 3


def test_generate(client):
    assert client.generate("mistral", "say this").response == "You said: say this"


def test_embed(client):
    embedded = client.embed("nomic-embed-text", ["ab", "模型"])
    assert [list(vector) for vector in embedded.embeddings] == [[2.0, 0.5, -0.25], [2.0, 0.5, -0.25]]


def test_an_unknown_model_is_a_404(client):
    with pytest.raises(ollama.ResponseError) as missing:
        client.chat("phi3", [{"role": "user", "content": "hi"}])
    assert missing.value.status_code == 404 and "not found" in missing.value.error
