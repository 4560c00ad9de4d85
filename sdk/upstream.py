"""A model server that does as it is told, for the official clients' tests: the OpenAI dialect, always the same answer to the
same request. It answers the last message's own words; what stands before a colon-free `name=value ` prefix directs it:

    pace=50 Say this      a word every 50 ms
    think=Hm Say this     reasoning text first
    status=429 times=1 after=1 key=a Say this    the first request with that key fails so, with Retry-After: 1
    cut=2 Say this        the connection ends after two words

Offered tools are all called, once, in parallel, with arguments made from their schemas; a JSON schema is answered with its
smallest example. It remembers what it was sent. It is no test of the wire's oddities; those are in Rust. Below `/anthropic` and
`/gemini` it takes those dialects, too, and answers with one of their fixtures, whatever it is asked."""

import base64
import hashlib
import json
import re
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CREATED = 1_700_000_000
FIXTURES = Path(__file__).resolve().parent.parent / "crates/models/tests/fixtures"
MODELS = ["echo", "echo-embedding", "echo-rerank", "echo-voice", "echo-ear", "echo-picture"]
PIXEL = base64.b64encode(bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082")).decode()


class Upstream:
    """Listens on a free port of the loopback until `stop`."""

    def __init__(self):
        self.seen: list[dict] = []  # path, headers, body
        self.left = 0  # streams whose reader went away
        self.failures: dict[str, int] = {}
        self.lock = threading.Lock()
        upstream = self

        class Handler(Answers):
            told = upstream

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def fails(self, key: str, times: int) -> bool:
        with self.lock:
            done = self.failures.get(key, 0)
            self.failures[key] = done + 1
            return done < times


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: Upstream

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.json({"object": "list", "data": [{"id": name, "object": "model", "created": CREATED, "owned_by": "tests"} for name in MODELS]})
        elif self.dialect():
            self.json(json.loads((FIXTURES / self.dialect() / "models.json").read_text()))
        elif self.path == "/__seen":
            self.json({"seen": self.told.seen, "left": self.told.left})
        else:
            self.fail(404, "no such path")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        kind = self.headers.get("content-type", "")
        body = form(raw, kind) if kind.startswith("multipart/") else json.loads(raw or b"{}")
        with self.told.lock:
            self.told.seen.append({"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body})
            del self.told.seen[:-200]
        routes = {
            "/v1/chat/completions": self.chat, "/v1/completions": self.text, "/v1/embeddings": self.embeddings,
            "/v1/rerank": self.rerank, "/v1/audio/transcriptions": self.transcription, "/v1/audio/speech": self.speech,
            "/v1/images/generations": self.images,
        }
        route = routes.get(self.path)
        if self.dialect():
            return self.json(json.loads((FIXTURES / self.dialect() / "text.json").read_text()))
        if route is None:
            return self.fail(404, f"no such path: {self.path}")
        try:
            route(body)
        except (BrokenPipeError, ConnectionResetError):
            self.told.left += 1
            self.close_connection = True

    def dialect(self) -> str | None:
        first = self.path.split("/")[1]
        return first if first in ("anthropic", "gemini") else None

    # ── chat and text

    def chat(self, body: dict) -> None:
        last = body["messages"][-1]
        orders, words = directions(words_of(last.get("content")))
        if self.refused(orders):
            return
        message: dict = {"role": "assistant", "content": words}
        finish = "stop"
        if orders.get("think"):
            message["reasoning_content"] = orders["think"]
        tools = [tool for tool in body.get("tools") or [] if tool.get("type") == "function"]
        choice = body.get("tool_choice", "auto")
        shape = (body.get("response_format") or {}).get("type", "text")
        if tools and choice != "none" and last["role"] != "tool":
            if isinstance(choice, dict):
                tools = [tool for tool in tools if tool["function"]["name"] == choice["function"]["name"]]
            if body.get("parallel_tool_calls") is False:
                tools = tools[:1]
            message["content"], finish = None, "tool_calls"
            message["tool_calls"] = [
                {"id": f"call_{number}", "type": "function", "function": {
                    "name": tool["function"]["name"], "arguments": json.dumps(example(tool["function"].get("parameters") or {}))}}
                for number, tool in enumerate(tools)]
        elif last["role"] == "tool":
            said = [words_of(one["content"]) for one in body["messages"] if one["role"] == "tool"]
            message["content"] = "The tools said: " + "; ".join(said)
        elif shape == "json_schema":
            message["content"] = json.dumps(example(body["response_format"]["json_schema"].get("schema") or {}))
        elif shape == "json_object":
            message["content"] = json.dumps({"echo": words})
        pieces = split(message["content"] or "")
        most = body.get("max_completion_tokens") or body.get("max_tokens")
        if most and len(pieces) > most:
            pieces, finish = pieces[:most], "length"
            message["content"] = "".join(pieces)
        usage = self.usage(7 * len(body["messages"]), max(1, len(pieces)))
        if not body.get("stream"):
            time.sleep(len(pieces) * int(orders.get("pace", 0)) / 1000)
            choices = [{"index": at, "message": {**message, "refusal": None}, "finish_reason": finish,
                        "logprobs": {"content": logprobs(pieces, body), "refusal": None} if body.get("logprobs") else None}
                       for at in range(body.get("n") or 1)]
            return self.json({**head(body, "chat.completion"), "choices": choices, "usage": usage})
        self.stream_chat(body, orders, message, pieces, finish, usage)

    def stream_chat(self, body, orders, message, pieces, finish, usage) -> None:
        common = head(body, "chat.completion.chunk")

        def send(delta: dict, finish: str | None = None, more: dict | None = None) -> None:
            self.event({**common, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None, **(more or {})}]})

        self.open_stream()
        send({"role": "assistant", "content": "", "refusal": None})
        if message.get("reasoning_content"):
            send({"reasoning_content": message["reasoning_content"]})
        # One call after the other, as the clients' helpers expect it; interleaved calls are tested in Rust.
        for at, call in enumerate(message.get("tool_calls", [])):
            text = call["function"]["arguments"]
            send({"tool_calls": [{**call, "index": at, "function": {"name": call["function"]["name"], "arguments": ""}}]})
            for half in (text[: len(text) // 2], text[len(text) // 2:]):
                send({"tool_calls": [{"index": at, "function": {"arguments": half}}]})
        for at, piece in enumerate(pieces):
            if at == int(orders.get("cut", -1)):
                self.close_connection = True
                return
            more = {"logprobs": {"content": logprobs([piece], body), "refusal": None}} if body.get("logprobs") else None
            send({"content": piece}, more=more)
            time.sleep(int(orders.get("pace", 0)) / 1000)
        send({}, finish)
        if (body.get("stream_options") or {}).get("include_usage"):
            self.event({**common, "choices": [], "usage": usage})
        self.end_stream()

    def text(self, body: dict) -> None:
        prompt = body["prompt"] if isinstance(body["prompt"], str) else "".join(map(str, body["prompt"]))
        orders, words = directions(prompt)
        if self.refused(orders):
            return
        if body.get("suffix"):
            words = f"between {prompt!r} and {body['suffix']!r}"
        pieces = split(words)
        usage = self.usage(7, len(pieces))
        common = head(body, "text_completion")
        if not body.get("stream"):
            return self.json({**common, "choices": [{"index": 0, "text": words, "finish_reason": "stop", "logprobs": None}], "usage": usage})
        self.open_stream()
        for piece in pieces:
            self.event({**common, "choices": [{"index": 0, "text": piece, "finish_reason": None, "logprobs": None}]})
        self.event({**common, "choices": [{"index": 0, "text": "", "finish_reason": "stop", "logprobs": None}]})
        if (body.get("stream_options") or {}).get("include_usage"):
            self.event({**common, "choices": [], "usage": usage})
        self.end_stream()

    # ── the other tasks

    def embeddings(self, body: dict) -> None:
        given = body["input"]
        texts = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
        size = body.get("dimensions") or 8
        data = []
        for at, text in enumerate(texts):
            vector = vector_of(str(text), size)
            if body.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
            data.append({"object": "embedding", "index": at, "embedding": vector})
        self.json({"object": "list", "model": body["model"], "data": data, "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}})

    def rerank(self, body: dict) -> None:
        asked = set(body["query"].lower().split())
        texts = [one if isinstance(one, str) else one["text"] for one in body["documents"]]
        scored = [{"index": at, "relevance_score": len(asked & set(text.lower().split())) / max(1, len(asked)), "document": {"text": text}}
                  for at, text in enumerate(texts)]
        scored.sort(key=lambda one: -one["relevance_score"])
        self.json({"id": "rerank-1", "model": body["model"], "results": scored[: body.get("top_n") or len(scored)], "usage": {"total_tokens": 3}})

    def transcription(self, body: dict) -> None:
        words = f"{len(body['file'])} bytes of sound"
        if body.get("response_format") == "text":
            return self.raw("text/plain", words.encode())
        self.json({"text": words})

    def speech(self, body: dict) -> None:
        self.raw("audio/mpeg", b"ID3" + body["input"].encode())

    def images(self, body: dict) -> None:
        self.json({"created": CREATED, "data": [{"b64_json": PIXEL} for _ in range(body.get("n") or 1)]})

    # ── the wire

    def refused(self, orders: dict) -> bool:
        status = int(orders.get("status", 0))
        if not status or not self.told.fails(orders.get("key", self.path), int(orders.get("times", 1_000_000))):
            return False
        self.fail(status, f"told to fail with {status}", {"retry-after": orders["after"]} if "after" in orders else {})
        return True

    def fail(self, status: int, message: str, headers: dict | None = None) -> None:
        kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
        self.json({"error": {"message": message, "type": kinds.get(status, "server_error"), "param": None, "code": f"told_{status}"}}, status, headers)

    def json(self, value, status: int = 200, headers: dict | None = None) -> None:
        self.raw("application/json", json.dumps(value).encode(), status, headers)

    def raw(self, kind: str, data: bytes, status: int = 200, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def open_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def event(self, value) -> None:
        self.piece(f"data: {json.dumps(value)}\n\n".encode())

    def end_stream(self) -> None:
        self.piece(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def piece(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    @staticmethod
    def usage(prompt: int, completion: int) -> dict:
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def head(body: dict, kind: str) -> dict:
    return {"id": "chatcmpl-echo", "object": kind, "created": CREATED, "model": body["model"], "system_fingerprint": "fp_echo"}


def directions(text: str) -> tuple[dict, str]:
    """The orders before the words, and the words."""
    orders = {}
    while found := re.match(r"(pace|think|status|times|after|key|cut)=(\S+)\s", text):
        orders[found[1]] = found[2]
        text = text[found.end():]
    return orders, text


def words_of(content) -> str:
    if isinstance(content, list):
        images = sum(part["type"] == "image_url" for part in content)
        return " ".join(part["text"] for part in content if part["type"] == "text") + (f" (and {images} pictures)" if images else "")
    return content or ""


def split(text: str) -> list[str]:
    return re.findall(r"\S+\s*|\s+", text)


def example(schema: dict, whole: dict | None = None):
    """The smallest value that a schema takes."""
    whole = whole or schema
    if "$ref" in schema:
        found = whole
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return example(found, whole)
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return example(schema[name][0], whole)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {name: example(one, whole) for name, one in schema.get("properties", {}).items()}
        case "array":
            return [example(schema.get("items", {"type": "string"}), whole)]
        case "integer":
            return schema.get("minimum", 42)
        case "number":
            return 4.2
        case "boolean":
            return True
        case "null":
            return None
    return "Paris"


def logprobs(pieces: list[str], body: dict) -> list[dict]:
    most = body.get("top_logprobs") or 0
    return [{"token": piece, "logprob": -0.25, "bytes": list(piece.encode()),
             "top_logprobs": [{"token": piece, "logprob": -0.25 - at, "bytes": list(piece.encode())} for at in range(most)]} for piece in pieces]


def vector_of(text: str, size: int) -> list[float]:
    """Exact in 32 bits, so that both ways of encoding give the same numbers."""
    seed = hashlib.sha256(text.encode()).digest()
    return [(seed[at % 32] - 128) / 128 for at in range(size)]


def form(raw: bytes, kind: str) -> dict:
    """The fields of a multipart form; a file becomes the list of its bytes' length by its content."""
    mark = b"--" + kind.split("boundary=")[1].strip('"').encode()
    fields = {}
    for part in raw.split(mark)[1:-1]:
        top, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="?([^";\r]+)"?', top)[1].decode()
        fields[name] = content.removesuffix(b"\r\n").decode("latin-1")
    return fields
