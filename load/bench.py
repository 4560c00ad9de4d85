"""What the measurements share: programs started on free ports and surely ended, Portico started in the one way that
everybody measures it, and what /proc says of a process. It decides nothing about what is measured."""

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOAD = Path(__file__).resolve().parent
ROOT = LOAD.parent
WORK = ROOT / ".work"
TOOLS = WORK / "load-target/release"


def build_tools() -> None:
    subprocess.run(["cargo", "build", "--quiet", "--release", "--locked"], cwd=LOAD, check=True,
                   env={**os.environ, "CARGO_TARGET_DIR": str(WORK / "load-target")})


def binary(path: str | None) -> Path:
    """The release binary that `make run` starts, built now unless one is named."""
    if path:
        return Path(path).resolve()
    subprocess.run([ROOT / "scripts/binary"], check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/portico"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Stage:
    """A temporary folder and the programs started from it; leaving it ends them all."""

    def __enter__(self) -> "Stage":
        self.folder = Path(tempfile.mkdtemp(prefix="portico-load."))
        os.chmod(self.folder, 0o755)
        self.running: list[subprocess.Popen] = []
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        return self

    def start(self, *command, **more) -> subprocess.Popen:
        log = open(self.folder / f"{len(self.running)}.log", "wb")
        one = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                               **{"stdout": log, "stderr": log, "cwd": self.folder, **more})
        self.running.append(one)
        return one

    def stop(self, one: subprocess.Popen) -> None:
        if one.poll() is None:
            one.terminate()
            try:
                one.wait(15)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()

    def __exit__(self, *_) -> None:
        for one in reversed(self.running):
            self.stop(one)
        subprocess.run(["rm", "-rf", self.folder], check=True)


def until_open(port: int, one: subprocess.Popen, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if one.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    sys.exit(f"load: {one.args[0]} did not open its port")


class Portico:
    """One portal with an alias for its deployments, the mocks, and one key. The only place that knows Portico's command line and file."""

    def __init__(self, stage: Stage, binary: Path, name: str, upstreams: list[int], database: str | None = None, more: tuple[str, ...] = ()):
        self.stage, self.binary, self.name = stage, binary, name
        self.port = free_port()
        self.data = stage.folder / name
        self.data.mkdir()
        self.config = stage.folder / f"{name}.toml"
        lines = [f'listen = "127.0.0.1:{self.port}"', f'data = "{self.data}"']
        if database:
            lines += ["[database]", f'url = "{database}"']
        lines += ["[metrics]", 'listen = "off"', "[log]", 'level = "warn"', *more]
        if upstreams:
            # One name for all the deployments, with a queue before them that nobody here has to wait in.
            lines += ["[[alias]]", 'name = "mock"', f"targets = {[f'mock-{number}/mock' for number, _ in enumerate(upstreams)]}",
                      "max_concurrent = 60000"]
        for number, upstream in enumerate(upstreams):
            lines += ["[[provider]]", f'slug = "mock-{number}"', f'name = "Mock {number}"', f'base_url = "http://127.0.0.1:{upstream}/v1"',
                      "[[provider.model]]", 'name = "mock"']
        self.config.write_text("\n".join(lines) + "\n")
        self.database = database
        self.model = "mock"
        self.password = "a long enough pass phrase"
        # The terminal never takes a password: it prints a link by which the person chooses one.
        self.link = self.tool("user", "add", "bench", "--role", "owner")
        said = self.tool("key", "new", "--person", "bench", "--name", "load")
        found = re.search(r"\bpk-[\w.-]+", said)
        self.key = found.group(0) if found else sys.exit(f"load: `portico key new` printed no key:\n{said}")
        self.process: subprocess.Popen | None = None

    def tool(self, *args: str) -> str:
        done = subprocess.run([self.binary, *args, "--config", self.config], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"load: `portico {' '.join(args)}` ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def serve(self) -> float:
        """Starts it; seconds until /readyz answered 200."""
        began = time.monotonic()
        self.process = self.stage.start(self.binary, "serve", "--config", self.config)
        while time.monotonic() < began + 30:
            if self.process.poll() is not None:
                break
            try:
                ask = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
                ask.request("GET", "/readyz")
                if ask.getresponse().status == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            time.sleep(0.002)
        log = next(iter(sorted(self.stage.folder.glob("*.log"), key=os.path.getmtime, reverse=True)))
        sys.exit(f"load: portico ({self.name}) is not ready:\n{log.read_text()[-2000:]}")

    def stop(self) -> None:
        self.stage.stop(self.process)

    def sign_in(self) -> str:
        """Chooses a password by the link, signs in with it, and gives the cookie."""
        token = self.link.split("token=")[1].split()[0]
        self.post("/api/reset", {"token": token, "password": self.password}, 204)
        answer = self.post("/api/session", {"name": "bench", "password": self.password}, 200)
        return answer.getheader("set-cookie").split(";")[0]

    def post(self, path: str, body: dict, wanted: int) -> http.client.HTTPResponse:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        link.request("POST", path, json.dumps(body), self.headers())
        answer = link.getresponse()
        said = answer.read()
        if answer.status != wanted:
            sys.exit(f"load: {path}: {answer.status} {said[:300].decode()}")
        return answer

    def headers(self, cookie: str = "") -> dict:
        """What a browser on Portico's own page sends."""
        return {"content-type": "application/json", "origin": f"http://127.0.0.1:{self.port}", "cookie": cookie}

    def count(self, table: str) -> int:
        """Rows of one table, read beside the running portal."""
        if self.database:
            told = subprocess.run(["psql", "-XAt", self.database, "-c", f"SELECT COUNT(*) FROM {table}"],
                                  check=True, capture_output=True, text=True)
            return int(told.stdout)
        with open_sqlite(self.data) as database:
            return database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def open_sqlite(data: Path) -> sqlite3.Connection:
    files = [file for file in data.rglob("*") if file.is_file() and file.read_bytes()[:15] == b"SQLite format 3"]
    newest = max(files, key=lambda file: file.stat().st_size)
    return sqlite3.connect(f"file:{newest}?mode=ro", uri=True, timeout=10)


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    members, before = {pid}, 0
    while len(members) != before:
        before = len(members)
        members |= {child for child, parent in parents.items() if parent in members}
    return sorted(members)


def rss_mib(pid: int) -> float:
    total = 0
    for one in family(pid):
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except OSError:
            continue
        total += int((re.search(r"VmRSS:\s+(\d+)", status) or [0, 0])[1])
    return total / 1024


def cpu_seconds(pid: int) -> float:
    ticks = 0
    for one in family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def mock_stats(port: int) -> dict:
    ask = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    ask.request("GET", "/__stats")
    return json.load(ask.getresponse())


def table(head: list[str], rows: list[list]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
