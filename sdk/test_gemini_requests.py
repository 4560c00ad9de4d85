"""What Portico makes of an OpenAI client's request for a Gemini model is what the types of PyPI's `google-genai` describe; they
forbid fields that they do not know."""

import json

import pytest
from asked import HELLO, REQUESTS
from google.genai import types


def judge(body: dict) -> None:
    parts = {
        "contents": lambda all_of_them: [types.Content.model_validate_json(json.dumps(one)) for one in all_of_them],
        "systemInstruction": lambda one: types.Content.model_validate_json(json.dumps(one)),
        "tools": lambda all_of_them: [types.Tool.model_validate_json(json.dumps(one)) for one in all_of_them],
        "toolConfig": lambda one: types.ToolConfig.model_validate_json(json.dumps(one)),
        "generationConfig": lambda one: types.GenerationConfig.model_validate_json(json.dumps(one)),
        "serviceTier": types.ServiceTier,
    }
    assert not body.keys() - parts.keys(), body
    for name, value in body.items():
        parts[name](value)


@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS.keys())
def test_a_request(client, seen, asked):
    answer = client.chat.completions.create(model="gemini-seen/m", **asked)
    assert answer.choices[0].message.content == "Hello, 世界! 🌍"
    sent = seen("/models/m:generateContent")[-1]
    assert sent["path"].startswith("/gemini/v1beta/") and sent["headers"]["x-goog-api-key"] == "k"
    judge(sent["body"])


def test_log_probabilities(client, seen):
    client.chat.completions.create(model="gemini-seen/m", messages=HELLO, logprobs=True, top_logprobs=2)
    body = seen("/models/m:generateContent")[-1]["body"]
    judge(body)
    assert (body["generationConfig"]["responseLogprobs"], body["generationConfig"]["logprobs"]) == (True, 2)
