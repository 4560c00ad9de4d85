#!/usr/bin/env python3
"""The service behind the file-analyser plugin, small enough to read in one go: what Portico posts to it, and what it answers.

POST /file/upload   a form with one field, `file`; answers {"file_id": ...}
POST /file/extract  what the upload answered, as JSON; answers {"text": ...}, which goes before the question

Python's standard library alone. What is uploaded lies in memory, at most 20 files of 64 MiB, and is gone with the process.

    python3 examples/file-analyzer/service.py            # http://localhost:8080/file
    python3 examples/file-analyzer/service.py --port 9090
"""

import argparse
import json
import re
import secrets
import zipfile
from collections import OrderedDict
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Lock
from xml.etree import ElementTree

MOST_FILES = 20
MOST_BYTES = 64 << 20
MOST_TEXT = 8_000

AMOUNT = re.compile(r"(?:¥|￥|RMB|CNY|EUR|USD|\$|€)\s?\d[\d,]*(?:\.\d+)?|\d[\d,]*(?:\.\d+)?\s?(?:元|万元|EUR|USD)")
DATE = re.compile(r"\d{4}\s?年\s?\d{1,2}\s?月\s?\d{1,2}\s?日|\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{4}")
PARTY = re.compile(r"(?:甲方|乙方|买方|卖方|Buyer|Seller)[^:：\n]{0,12}[:：]\s*([^\n，。;；]{2,60})")

files = OrderedDict()
lock = Lock()


def upload(content_type, body):
    """Keeps the field `file` of a form under a new id."""
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=policy.HTTP)
    for part in form.iter_parts() if form.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "file":
            name, content = part.get_filename() or "file", part.get_payload(decode=True) or b""
            break
    else:
        return 400, {"error": "the form has no field `file`"}
    file_id = secrets.token_hex(8)
    with lock:
        files[file_id] = (name, content)
        while len(files) > MOST_FILES:
            files.popitem(last=False)
    return 200, {"file_id": file_id, "bytes": len(content)}


def extract(body):
    """Finds who, when and how much in a file that was uploaded before."""
    try:
        file_id = json.loads(body)["file_id"]
    except (ValueError, KeyError, TypeError):
        return 400, {"error": "send {\"file_id\": ...}, as the upload answered it"}
    with lock:
        found = files.get(file_id)
    if found is None:
        return 404, {"error": f"there is no file {file_id!r}; upload it again"}
    name, content = found
    text = text_of(content)
    lines = [f"File: {name} ({len(content)} bytes)"]
    for title, pattern in [("Parties", PARTY), ("Dates", DATE), ("Amounts", AMOUNT)]:
        matches = list(OrderedDict.fromkeys(match.strip() for match in pattern.findall(text)))[:20]
        if matches:
            lines.append(f"{title}: " + "; ".join(matches))
    if not text:
        lines.append("It has no text that this small service understands (it reads DOCX and plain text).")
    return 200, {"text": "\n".join(lines)[:MOST_TEXT]}


def text_of(content):
    """The words of a DOCX or of plain text; of anything else nothing."""
    if content.startswith(b"PK"):
        try:
            with zipfile.ZipFile(BytesIO(content)) as package:
                part = package.getinfo("word/document.xml")
                if part.file_size > MOST_BYTES:
                    return ""
                document = package.read(part)
            # A document has no business with declarations of its own; they are what bombs are made of.
            if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
                return ""
            root = ElementTree.fromstring(document)
        except (KeyError, zipfile.BadZipFile, ElementTree.ParseError):
            return ""
        paragraphs = (node for node in root.iter() if node.tag.endswith("}p"))
        return "\n".join("".join(run.text or "" for run in node.iter() if run.tag.endswith("}t")) for node in paragraphs)
    try:
        return "" if b"\0" in content else content.decode("utf-8")
    except UnicodeDecodeError:
        return ""


class Service(BaseHTTPRequestHandler):
    """Two routes, and a sentence for everything else."""

    def do_POST(self):
        try:
            length = int(self.headers.get("content-length", ""))
        except ValueError:
            return self.answer(411, {"error": "say how long the body is"})
        if not 0 <= length <= MOST_BYTES:
            return self.answer(413, {"error": f"at most {MOST_BYTES} bytes are taken"})
        body = self.rfile.read(length)
        if self.path == "/file/upload":
            return self.answer(*upload(self.headers.get("content-type", ""), body))
        if self.path == "/file/extract":
            return self.answer(*extract(body))
        return self.answer(404, {"error": "there are POST /file/upload and POST /file/extract"})

    def do_HEAD(self):
        """Portico looks whether somebody is here when the plugin is installed."""
        self.answer(200, {})

    do_GET = do_HEAD

    def answer(self, status, body):
        text = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, template, *values):
        print(f"{self.address_string()} {template % values}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    chosen = parser.parse_args()
    server = ThreadingHTTPServer((chosen.host, chosen.port), Service)
    print(f"listening on http://{chosen.host}:{server.server_port}/file", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
