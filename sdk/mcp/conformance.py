"""The conformance suite of the Model Context Protocol, once before Portico as a client and once as a server: `n of N` scenarios, each
miss with what the suite says of it and with our reason. scripts/prove/mcp runs this, with the binary that PORTICO_BIN names.

    python3 sdk/mcp/conformance.py"""

import http.client
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
BINARY = os.environ["PORTICO_BIN"]
SUITE = HERE / "node_modules/@modelcontextprotocol/conformance/dist/index.js"

FIXTURE = "asks for a tool, prompt or resource that the suite's own example server has; a portal has assistants"
OAUTH = "OAuth with discovery is not there yet: a plugin's proof is a key, a bearer token, basic or client credentials at a known address"
# Why what is missed is missed, by the beginning of its name.
REASONS = {
    "client": {
        "auth/": OAUTH,
        "elicitation-sep1034-client-defaults": "what a server asks of a person is declined, and this one asks on a stream of its own, which nobody here listens to",
    },
    "server": {
        "tools-call-": FIXTURE,
        "elicitation-": FIXTURE,
        "prompts-get-": FIXTURE,
        "json-schema-2020-12": FIXTURE,
        "resources-": "there are no resources yet: knowledge comes later",
        "logging-": "there is no logging: what a server would log is the operator's, not the client's",
        "completion-": "there is no completion of arguments",
        "server-sse-": "there are no streams: each request is answered by itself, which the protocol allows",
    },
}


class Proxy(http.server.BaseHTTPRequestHandler):
    """Adds the key, which the suite cannot send; everything else goes through as it is."""

    protocol_version = "HTTP/1.1"
    target = urlsplit("http://unset")
    key = ""

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        there = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=30)
        there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                there.putheader(name, value)
        there.putheader("authorization", f"Bearer {self.key}")
        there.putheader("content-length", str(len(body)))
        there.endheaders(body)
        answer = there.getresponse()
        said = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "content-length", "transfer-encoding", "date"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
        there.close()

    do_GET = do_POST = do_DELETE = pass_on

    def log_message(self, *_: object) -> None:
        pass


class Portal:
    """Portico on a free port with a data folder of its own, a key to it, and no model: the suite asks nobody anything."""

    def __init__(self, folder: str):
        self.place = ["--config", f"{folder}/portico.toml", "--data", f"{folder}/data"]
        Path(f"{folder}/portico.toml").write_text('[metrics]\nlisten = "off"\n')
        self.tool("user", "add", "suite", "--role", "owner")
        self.key = re.search(r"\bpk-[\w.-]+", self.tool("key", "new", "--person", "suite", "--name", "suite"))[0]
        command = [BINARY, "serve", *self.place, "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = next((line for line in self.process.stdout if "portico is ready on" in line), "")
        if not ready:
            sys.exit("conformance: the portal did not start")
        self.url = re.search(r"http\S+", ready)[0]

    def tool(self, *args: str) -> str:
        return subprocess.run([BINARY, *args, *self.place], capture_output=True, text=True, check=True, timeout=60).stdout

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def suite(*args: object) -> subprocess.CompletedProcess:
    return subprocess.run(["node", SUITE, *map(str, args)], capture_output=True, text=True, timeout=120)


def scenarios(side: str) -> list[str]:
    """Those of this side, as the suite lists them."""
    listed = suite("list", f"--{side}")
    names = re.findall(r"^\s+-\s+(\S+)", listed.stdout, re.M)
    if not names:
        sys.exit(f"conformance: the suite lists nothing: {listed.stdout}{listed.stderr}")
    return names


def run(side: str, name: str, *args: object) -> tuple[bool, list[str]]:
    """Whether a scenario held, and what the suite holds against it."""
    with tempfile.TemporaryDirectory(prefix="portico-conformance.") as out:
        done = suite(side, "--scenario", name, "--output-dir", out, *args)
        files = sorted(Path(out).rglob("checks.json"))
        checks = [check for file in files for check in json.loads(file.read_text())]
    failed = [f"{check['id']}: {check.get('errorMessage') or check.get('description', '')}" for check in checks if check["status"] == "FAILURE"]
    # A scenario that could only warn has shown nothing.
    held = any(check["status"] == "SUCCESS" for check in checks)
    failed += [f"{check['id']}: {check.get('errorMessage') or check.get('details')}" for check in checks if not held and check["status"] == "WARNING"]
    if not checks:
        failed = [(done.stderr or done.stdout).strip().splitlines()[-1] if (done.stderr or done.stdout).strip() else "no check was made"]
    return held and not failed, failed


def side(which: str, *args: object) -> bool:
    """Prints what held and what did not; whether each miss has a reason."""
    names = scenarios(which)
    held, misses = 0, []
    for name in names:
        ok, failed = run(which, name, *args)
        held += ok
        if not ok:
            misses.append((name, failed))
    print(f"\n{which}: {held} of {len(names)} scenarios")
    known = True
    for name, failed in misses:
        reason = next((why for begin, why in REASONS[which].items() if name.startswith(begin)), None)
        known = known and reason is not None
        print(f"  {name}: {reason or 'NOT EXPECTED'}")
        for line in failed[:2] if reason else failed:
            print(f"      {line[:200]}")
    return known


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="portico-conformance.") as folder:
        os.environ["PORTICO_MCP_DATA"] = f"{folder}/probe"
        client = side("client", "--command", HERE / "client")
        portal = Portal(folder)
        try:
            Proxy.target, Proxy.key = urlsplit(portal.url), portal.key
            proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            server = side("server", "--url", f"http://127.0.0.1:{proxy.server_port}/mcp")
            proxy.shutdown()
        finally:
            portal.stop()
    return int(not (client and server))


if __name__ == "__main__":
    sys.exit(main())
