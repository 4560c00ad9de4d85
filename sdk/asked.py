"""Requests in OpenAI's dialect that touch everything which is translated, so that what becomes of them can be judged by the types
of the vendor's own client."""

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HELLO = [{"role": "user", "content": "hello"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather of a city", "parameters": SCHEMA}}
STRICT = {"type": "function", "function": {"name": "clock", "strict": True, "parameters": SCHEMA}}


def call(one: str, name: str) -> dict:
    return {"id": one, "type": "function", "function": {"name": name, "arguments": '{"city": "Paris"}'}}


REQUESTS = {
    "sampling": {"messages": HELLO, "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 50, "stop": ["END"], "seed": 7,
                 "presence_penalty": 0.5, "frequency_penalty": 0.5, "extra_body": {"top_k": 40}},
    "system texts and pictures": {"messages": [
        {"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            {"type": "image_url", "image_url": {"url": "https://host.example/a.png"}}]}]},
    "calls and results": {"tools": [TOOL, STRICT], "messages": [
        *HELLO, {"role": "assistant", "content": "I look.", "tool_calls": [call("call_1", "weather"), call("call_2", "clock")]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"degrees": 21}'},
        {"role": "tool", "tool_call_id": "call_2", "content": "noon"}]},
    "a tool that must be called": {"messages": HELLO, "tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
    "some tool": {"messages": HELLO, "tools": [TOOL, STRICT], "tool_choice": "required"},
    "no tool": {"messages": HELLO, "tools": [TOOL], "tool_choice": "none"},
    "one call at a time": {"messages": HELLO, "tools": [TOOL], "parallel_tool_calls": False},
    "some of the tools": {"messages": HELLO, "tools": [TOOL, STRICT], "tool_choice": {
        "type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "clock"}}]}}},
    "a schema": {"messages": HELLO, "response_format": {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA}}},
    "an object": {"messages": HELLO, "response_format": {"type": "json_object"}},
    **{f"effort {effort}": {"messages": HELLO, "reasoning_effort": effort} for effort in ("none", "minimal", "low", "medium", "high", "xhigh")},
    "who asks and how soon": {"messages": HELLO, "user": "u1", "service_tier": "default"},
}
