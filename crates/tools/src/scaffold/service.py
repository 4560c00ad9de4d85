#!/usr/bin/env python3
"""The service of the plugin PLUGIN-NAME: what plugin.json describes, answered. Python's standard library alone.

    python3 service.py [PORT]
"""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def count(asked):
    """The one operation. Arguments come as plugin.json says; Portico has checked them."""
    text = asked.get("text", "")
    return {"words": len(text.split()), "characters": len(text)}


OPERATIONS = {"/count": count}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = OPERATIONS.get(self.path)
        if operation is None:
            return self.answer(404, {"error": f"there is nothing at {self.path}"})
        try:
            asked = json.loads(body)
        except ValueError:
            return self.answer(400, {"error": "the body is no JSON"})
        return self.answer(200, operation(asked))

    def do_HEAD(self):
        """Portico looks whether somebody is here when the plugin is installed."""
        self.answer(200, None)

    def answer(self, status, told):
        text = b"" if told is None else json.dumps(told, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8095
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
