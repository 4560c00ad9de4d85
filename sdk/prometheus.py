"""A real Prometheus and a real Alertmanager watch a real Portico before a scripted model: what deploy/ ships is tried as an operator
would run it. Rules and configuration hold for promtool; after a short load each expression of each dashboard's panels has data; the time
to the first token agrees with the client's within a bucket; an upstream that stops is told to a webhook.

    python3 sdk/prometheus.py JUNIT          PROMETHEUS names the folder with prometheus, promtool and prometheus-alertmanager"""

import http.server
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as xml
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = os.environ["PORTICO_BIN"]
PROGRAMS = Path(os.environ["PROMETHEUS"])
DEPLOY = ROOT / "deploy"
# Seconds that the scripted model thinks before its first word: in the middle of a bucket, so that nothing hangs on the machine's mood.
TTFT = 0.16


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Model(http.server.BaseHTTPRequestHandler):
    """Answers every question with twenty words; some fail."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.say(json.dumps({"object": "list", "data": [{"id": "m"}]}).encode(), "application/json")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "fail" in json.dumps(asked["messages"]):
            body = json.dumps({"error": {"message": "no", "type": "invalid_request_error"}}).encode()
            return self.say(body, "application/json", 400)
        time.sleep(TTFT)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for word in range(20):
            self.chunk({"choices": [{"index": 0, "delta": {"content": f"w{word} "}, "finish_reason": None}]})
            time.sleep(0.005)
        self.chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.chunk({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 20, "total_tokens": 29}})
        self.wfile.write(b"data: [DONE]\n\n")

    def chunk(self, more: dict) -> None:
        self.wfile.write(b"data: " + json.dumps({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", **more}).encode() + b"\n\n")
        self.wfile.flush()

    def say(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Hook(http.server.BaseHTTPRequestHandler):
    """Remembers what Alertmanager tells."""

    told: list[dict] = []

    def do_POST(self) -> None:
        Hook.told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def serve(handler: type) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Stage:
    def __init__(self, folder: Path):
        self.folder, self.running = folder, []
        self.model, self.hook = serve(Model), serve(Hook)
        self.metrics, self.prometheus_port, self.manager_port = free_port(), free_port(), free_port()
        settings = folder / "portico.toml"
        settings.write_text(
            f'[metrics]\nlisten = "127.0.0.1:{self.metrics}"\n[[provider]]\nslug = "up"\nname = "Up"\n'
            f'base_url = "http://127.0.0.1:{self.model.server_address[1]}/v1"\n[[provider.model]]\nname = "m"\n')
        self.place = ["--config", str(settings), "--data", str(folder / "data")]
        self.tool("user", "add", "watch", "--role", "owner")
        self.key = re.search(r"\bpk-[\w.-]+", self.tool("key", "new", "--person", "watch", "--name", "watch"))[0]
        portal = self.start([BINARY, "serve", *self.place, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
        ready = next((line for line in portal.stdout if "portico is ready on" in line), None) or sys.exit("prometheus: the portal did not start")
        self.url = re.search(r"http\S+", ready)[0]
        self.watch()

    def tool(self, *args: str) -> str:
        return subprocess.run([BINARY, *args, *self.place], capture_output=True, text=True, check=True, timeout=60).stdout

    def start(self, command: list, **more) -> subprocess.Popen:
        log = open(self.folder / f"{Path(command[0]).name}.log", "ab")
        process = subprocess.Popen(command, **{"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": self.folder, **more})
        self.running.append(process)
        return process

    def watch(self) -> None:
        """What is shipped, at this stage's addresses and with a second for every wait: a quarter of an hour is not spent on a test."""
        rules = re.sub(r"for: \d+m", "for: 1s", (DEPLOY / "prometheus/rules.yml").read_text())
        (self.folder / "rules.yml").write_text(rules)
        config = (DEPLOY / "prometheus/prometheus.yml").read_text()
        config = config.replace("127.0.0.1:8421", f"127.0.0.1:{self.metrics}").replace("127.0.0.1:9093", f"127.0.0.1:{self.manager_port}")
        config = config.replace("15s", "1s")
        (self.folder / "prometheus.yml").write_text(config)
        hook = f"http://127.0.0.1:{self.hook.server_address[1]}/"
        (self.folder / "alertmanager.yml").write_text(
            f"route: {{receiver: hook, group_wait: 1s, group_interval: 1s}}\nreceivers: [{{name: hook, webhook_configs: [{{url: '{hook}'}}]}}]\n")
        self.start([PROGRAMS / "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
                    f"--web.listen-address=127.0.0.1:{self.prometheus_port}"])
        # It reads its templates from /usr/share and nowhere else: where it is unpacked and not installed, it sees its own there.
        templates = "mount --bind \"$0\" /usr/share && exec \"$@\""
        walled = [] if Path("/usr/share/prometheus/alertmanager").is_dir() else [
            "unshare", "--map-root-user", "--mount", "bash", "-c", templates, PROGRAMS.parent / "share"]
        self.start([*walled, PROGRAMS / "prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=alerts", "--cluster.listen-address=",
                    f"--web.listen-address=127.0.0.1:{self.manager_port}"])
        until("Prometheus answers", lambda: self.ask("up") is not None)

    def ask(self, expression: str) -> list | None:
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.prometheus_port}/api/v1/query?{query}", timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def question(self, text: str) -> float | None:
        """Seconds to the first token as the client sees it; `None` where it failed."""
        body = json.dumps({"model": "up/m", "stream": True, "messages": [{"role": "user", "content": text}]}).encode()
        asked = urllib.request.Request(f"{self.url}/v1/chat/completions", body, {"content-type": "application/json", "authorization": f"Bearer {self.key}"})
        began = time.monotonic()
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                first = None
                for line in answer:
                    if first is None and b'"content"' in line:
                        first = time.monotonic() - began
                return first
        except urllib.error.HTTPError:
            return None

    def stop(self) -> None:
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        for server in (self.model, self.hook):
            server.shutdown()
            server.server_close()


def until(what: str, holds, seconds: float = 30):
    patience = time.monotonic() + seconds
    while not (found := holds()):
        if time.monotonic() > patience:
            raise AssertionError(f"never: {what}")
        time.sleep(0.25)
    return found


def promtool(*args: object) -> None:
    done = subprocess.run([PROGRAMS / "promtool", *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def rules_and_configuration_hold(_: Stage) -> None:
    promtool("check", "rules", DEPLOY / "prometheus/rules.yml")
    promtool("check", "config", DEPLOY / "prometheus/prometheus.yml")
    promtool("check", "config", DEPLOY / "many/compose/prometheus.yml", "--syntax-only")
    promtool("test", "rules", DEPLOY / "prometheus/rules.test.yml")


def every_panel_has_data_after_a_short_load(stage: Stage) -> None:
    waits = [stage.question("hello") for _ in range(12)]
    assert all(waits), waits
    stage.client = sorted(waits)
    assert stage.question("fail") is None
    missing = {}

    def all_there() -> bool:
        # A rate wants two looks with something between them.
        stage.question("hello again")
        missing.clear()
        for file in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
            for panel in json.loads(file.read_text())["panels"]:
                for target in panel["targets"]:
                    expression = target["expr"].replace("$__rate_interval", "30s")
                    # No model runs on this machine here; what is shown of one is told by the tests of the engine.
                    if not stage.ask(expression) and "worker" not in expression:
                        missing[panel["title"]] = expression
        return not missing

    try:
        until("data in every panel", all_there, 40)
    except AssertionError:
        raise AssertionError(f"no data: {missing}") from None


def the_time_to_the_first_token_agrees_with_the_clients(stage: Stage) -> None:
    median = stage.client[len(stage.client) // 2]
    [buckets] = [stage.ask('sort(portico_ttft_seconds_bucket{model="up/m"})')]
    ends = sorted(float(one["metric"]["le"]) for one in buckets if one["metric"]["le"] != "+Inf")
    found = float(stage.ask('histogram_quantile(0.5, sum by (le) (portico_ttft_seconds_bucket{model="up/m"}))')[0]["value"][1])
    def place(of: float) -> int:
        return sum(of > end for end in ends)
    assert abs(place(found) - place(median)) <= 1, f"{found:.3f} s by the metrics, {median:.3f} s by the client, buckets {ends}"
    print(f"TTFT p50: {found * 1000:.0f} ms by the metrics, {median * 1000:.0f} ms by the client")


def an_upstream_that_stops_is_told_to_the_webhook(stage: Stage) -> None:
    assert not Hook.told, f"told while all was well: {Hook.told}"
    stage.model.shutdown()
    stage.model.server_close()
    stage.question("is anybody there")

    def told() -> list[str]:
        return [alert["labels"]["alertname"] for one in Hook.told for alert in one["alerts"] if alert["status"] == "firing"]

    until("the upstream that stopped is told", lambda: "PorticoUpstreamDown" in told(), 60)
    alert = next(alert for one in Hook.told for alert in one["alerts"] if alert["labels"]["alertname"] == "PorticoUpstreamDown")
    assert alert["labels"]["deployment"] == "up/m" and "cannot be used" in alert["annotations"]["summary"], alert


TESTS = [rules_and_configuration_hold, every_panel_has_data_after_a_short_load, the_time_to_the_first_token_agrees_with_the_clients,
         an_upstream_that_stops_is_told_to_the_webhook]


def main() -> int:
    suite, failed = xml.Element("testsuite", name="prometheus"), 0
    with tempfile.TemporaryDirectory(prefix="portico-prometheus.") as folder:
        stage = Stage(Path(folder))
        try:
            for test in TESTS:
                name, began = test.__name__.replace("_", " "), time.monotonic()
                case = xml.SubElement(suite, "testcase", classname="prometheus", name=name)
                try:
                    test(stage)
                    print(f"ok      {name} ({time.monotonic() - began:.1f} s)", flush=True)
                except Exception as error:
                    failed += 1
                    print(f"FAILED  {name}: {error}\n{traceback.format_exc()}", flush=True)
                    xml.SubElement(case, "failure", message=str(error)[:500])
        finally:
            stage.stop()
    xml.ElementTree(suite).write(sys.argv[1])
    print(f"{len(TESTS) - failed} of {len(TESTS)} passed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
