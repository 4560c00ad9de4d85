"""The reference servers of the Model Context Protocol before Portico's gateway: each is listed and called through `portico
mcp-probe`, as a program and at an address, and one is killed in mid-call. `scripts/mcp` installs them and runs this.

    python3 sdk/mcp/servers.py RESULTS.xml"""

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = Path(os.environ["PORTICO_BIN"])
PACKAGES = Path(os.environ["PORTICO_MCP_PYTHON"])
OLDER = Path(os.environ["PORTICO_MCP_SQLITE"])
NODE = HERE / "node_modules/@modelcontextprotocol"
PATIENCE = 60

PAGE = b"<html><head><title>House</title></head><body><article><h1>The house</h1><p>Its floors have no arrow back up.</p></article></body></html>"


class Places:
    """What the servers work on: a folder, a repository, a database, a page; and the address of one of them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.files = folder / "files"
        self.files.mkdir()
        (self.files / "note.txt").write_text("甲方：某公司\n")
        self.repository = folder / "repository"
        git = ["git", "-C", self.repository, "-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", "init", "-q", "-b", "main", self.repository], check=True)
        (self.repository / "a.txt").write_text("a\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "The first floor"], check=True)
        self.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        self.page = f"http://127.0.0.1:{self.web.server_port}/"
        self.port = free_port()
        self.everything = subprocess.Popen(
            ["node", NODE / "server-everything/dist/index.js", "streamableHttp"], env={**os.environ, "PORT": str(self.port)},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        wait_for(self.port)

    def close(self) -> None:
        self.everything.kill()
        self.everything.wait()
        self.web.shutdown()


class Page(http.server.BaseHTTPRequestHandler):
    """One page, and no robots.txt."""

    def do_GET(self) -> None:
        found = self.path == "/"
        self.send_response(200 if found else 404)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(PAGE) if found else 0))
        self.end_headers()
        self.wfile.write(PAGE if found else b"")

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    sys.exit("servers: the server at an address did not start")


def probe(server: list, *more: str) -> subprocess.Popen:
    """`server` is a URL, or a command after --stdio."""
    place = Path(tempfile.mkdtemp(prefix="portico-mcp."))
    command = [BINARY, "mcp-probe", *more, "--data", place / "data", *server]
    return subprocess.Popen(command, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def python(module: str, *args: object, packages: Path = PACKAGES) -> list:
    # Not every one of them can be started by `-m`.
    start = f"import {module}; {module}.main()"
    return ["--env", f"PYTHONPATH={packages}", "--stdio", sys.executable, "-c", start, *map(str, args)]


def node(package: str, *args: object) -> list:
    return ["--stdio", "node", str(NODE / package / "dist/index.js"), *map(str, args)]


def calls(places: Places) -> list[tuple[str, list, str | None, object, str]]:
    """name, server, tool (none: it is listed), arguments, and what must be said: a pattern; of a failure, behind `! `."""
    time_server = python("mcp_server_time", "--local-timezone", "Asia/Shanghai")
    fetch = python("mcp_server_fetch", "--allow-private-ips")
    git = python("mcp_server_git", "--repository", places.repository)
    sqlite = python("mcp_server_sqlite", "--db-path", places.folder / "test.db", packages=OLDER)
    files = node("server-filesystem", places.files)
    everything = node("server-everything", "stdio")
    both = [("stdio", everything), ("http", [places.url])]
    noon = {"source_timezone": "Asia/Shanghai", "time": "12:00", "target_timezone": "Asia/Kolkata"}
    rows = [
        ("time lists", time_server, None, None, r"get_current_time[\s\S]*convert_time"),
        ("time converts", time_server, "convert_time", noon, r"09:30:00\+05:30"),
        ("time refuses", time_server, "convert_time", {**noon, "time": "noon"}, r"! tool_failed.*Invalid time format"),
        ("time, arguments", time_server, "convert_time", {"time": "12:00"}, r"! arguments_invalid: \w+: it is missing"),
        ("fetch lists", fetch, None, None, r"fetch[\s\S]*1 prompts"),
        ("fetch reads", fetch, "fetch", {"url": places.page}, r"Its floors have no arrow back up"),
        ("git lists", git, None, None, r"git_status[\s\S]*git_log"),
        ("git tells", git, "git_log", {"repo_path": str(places.repository)}, r"The first floor"),
        ("git refuses", git, "git_log", {"repo_path": "/"}, r"! tool_failed"),
        ("sqlite lists", sqlite, None, None, r"read_query[\s\S]*resources"),
        ("sqlite makes", sqlite, "create_table", {"query": "CREATE TABLE t (name TEXT)"}, r"created"),
        ("sqlite reads", sqlite, "read_query", {"query": "SELECT 6 * 7 AS answer"}, r"42"),
        ("sqlite's resource", sqlite, "read_resource", {"uri": "memo://insights"}, r"\w"),
        ("filesystem lists", files, None, None, r"list_directory +reads only"),
        ("filesystem reads", files, "read_text_file", {"path": str(places.files / "note.txt")}, r"甲方：某公司"),
        ("filesystem writes", files, "write_file", {"path": str(places.files / "b.txt"), "content": "b"}, r"[Ss]uccess"),
        ("filesystem stays inside", files, "read_text_file", {"path": "/etc/passwd"}, r"! tool_failed: .*(denied|outside)"),
    ]
    for way, server in both:
        rows += [
            (f"everything lists, {way}", server, None, None, r"echo[\s\S]*resources[\s\S]*prompts"),
            (f"everything echoes, {way}", server, "echo", {"message": "你好"}, r"你好"),
            (f"everything adds, {way}", server, "get-sum", {"a": 2, "b": 40}, r"42"),
            (f"everything's picture, {way}", server, "get-tiny-image", {}, r"\[image: image/png, \d+ bytes\]"),
            (f"everything's structure, {way}", server, "get-structured-content", {"location": "New York"}, r"\"temperature\""),
            (f"everything's resource, {way}", server, "get-resource-reference", {"resourceType": "Text", "resourceId": 1}, r"\[resource demo://"),
            (f"everything takes its time, {way}", server, "trigger-long-running-operation", {"duration": 1, "steps": 2}, r"completed"),
            (f"everything asks a person, {way}", server, "trigger-elicitation-request", {}, r"declined"),
        ]
    return rows


def check(row: tuple) -> str | None:
    """What is wrong; none where it is as it must be."""
    _, server, tool, arguments, wanted = row
    more = [] if tool is None else ["--call", tool, "--arguments", json.dumps(arguments, ensure_ascii=False)]
    process = probe(server, *more)
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return f"no answer within {PATIENCE} s: {process.communicate()[1]}"
    fails = wanted.startswith("! ")
    said = err if fails else out
    if (process.returncode != 0) != fails or not re.search(wanted.removeprefix("! "), said):
        return f"ended with {process.returncode}; said {out!r} and {err!r}; wanted {wanted!r}"
    return None


def killed(places: Places) -> str | None:
    """A real server is killed in mid-call: the call says so, and no process of it is left, zombies included."""
    arguments = json.dumps({"duration": 60, "steps": 4})
    process = probe(node("server-everything", "stdio"), "--timeout", "50", "--call", "trigger-long-running-operation", "--arguments", arguments)
    server = None
    # The first one answers what there is, the second is called.
    first = None
    for _ in range(400):
        found = [pid for pid in children(process.pid) if b"server-everything" in command_of(pid)]
        first = first or (found[0] if found else None)
        later = [pid for pid in found if pid != first]
        if later:
            server = later[0]
            break
        time.sleep(0.05)
    if server is None:
        process.kill()
        return f"the server was never seen: {process.communicate()[1]}"
    time.sleep(2)
    os.kill(server, signal.SIGKILL)
    out, err = process.communicate(timeout=20)
    if process.returncode != 1 or "it was killed (signal 9)" not in err:
        return f"ended with {process.returncode}; said {out!r} and {err!r}"
    left = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if group_of(pid) in (first, server)]
    return f"left: {left}" if left else None


def children(pid: int) -> list[int]:
    try:
        return [int(one) for task in os.listdir(f"/proc/{pid}/task") for one in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:
        return []


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def group_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[2])
    except (OSError, ValueError):
        return None


def main() -> int:
    suite = xml.Element("testsuite", name="mcp")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="portico-mcp.") as folder:
        places = Places(Path(folder))
        try:
            rows = calls(places)
            with ThreadPoolExecutor(2) as pool:
                told = list(pool.map(check, rows))
            told.append(killed(places))
        finally:
            places.close()
    for name, wrong in zip([row[0] for row in rows] + ["everything is killed in mid-call"], told):
        case = xml.SubElement(suite, "testcase", classname="mcp", name=name)
        if wrong:
            failed += 1
            xml.SubElement(case, "failure").text = wrong
            print(f"{name}: {wrong}")
    xml.ElementTree(suite).write(sys.argv[1], encoding="unicode")
    print(f"reference servers: {len(told) - failed} of {len(told)}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
