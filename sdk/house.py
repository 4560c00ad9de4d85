"""Portico on a free port with a data folder of its own, before the scripted upstream, and a key to it: what every client's
test stands on. It knows Portico by its command line and its doors; it looks into no database.

    python3 sdk/house.py COMMAND...     runs COMMAND with PORTICO_SDK_URL, PORTICO_SDK_KEY, PORTICO_SDK_KEYS (bound ones, as
                                        JSON by name) and PORTICO_SDK_UPSTREAM set"""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from upstream import MODELS, Upstream
from vendor import Vendor

ROOT = Path(__file__).resolve().parent.parent
BINARY = Path(os.environ.get("PORTICO_BIN", ROOT / "target/release/portico"))
STORIES = Path(os.environ.get("PORTICO_SHARED", ROOT.parent / "shared")) / "models/stories260K.gguf"

CONFIG = """
[metrics]
listen = "off"
[timeouts]
first_token_ms = 20000
[[provider]]
slug = "echo"
name = "Echo"
base_url = "{upstream}/v1"
"""
# Named, because of what a server lists Portico takes those alone that sound like chat.
MODEL = """
[[provider.model]]
name = "{name}"
"""
# A vendor of another dialect, one provider for each case of its fixtures: the case is where its path begins.
TRANSLATED = """
[[provider]]
slug = "{kind}-{slug}"
name = "{kind}, {case}"
kind = "{kind}"
base_url = "{url}/{case}"
api_key_file = "{key}"
[[provider.model]]
name = "m"
"""
CASES = {
    "anthropic": ["text", "tools", "thought", "schema", "stopped", "declined", "too_long", "refused", "late_fault"],
    "gemini": ["text", "tools", "thought", "schema", "logprobs", "stopped", "declined", "blocked", "too_long", "refused", "late_fault",
               "vectors"],
}
# Keys that may less than everything, one for each way in which a client can be told so.
BOUND = {
    "one model": ["--model", "echo/echo-embedding"],
    "two a minute": ["--requests-per-minute", "2"],
    "five tokens": ["--tokens-total", "5"],
    "elsewhere": ["--from", "10.203.0.0/16"],
}


class House:
    """`url` ends with the port; `key` opens everything that one person may."""

    def __init__(self):
        self.upstream = Upstream()
        self.folder = Path(tempfile.mkdtemp(prefix="portico-sdk.", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
        self.config = self.folder / "portico.toml"
        self.vendors = {kind: Vendor(kind) for kind in CASES}
        key = self.folder / "vendor.key"
        key.write_text("k")
        self.config.write_text(CONFIG.format(upstream=self.upstream.url) + "".join(MODEL.format(name=name) for name in MODELS) + "".join(
            TRANSLATED.format(kind=kind, case=case, slug=case.replace("_", "-"), url=self.vendors[kind].url, key=key)
            for kind, cases in CASES.items() for case in cases) + "".join(
            TRANSLATED.format(kind=kind, case=kind, slug="seen", url=self.upstream.url, key=key) for kind in CASES))
        self.said = ""
        self.process = None
        try:
            self.tool("user", "add", "sdk", "--role", "owner")
            self.key = self.new_key()
            self.keys = {name: self.new_key(*bounds) for name, bounds in BOUND.items()}
            self.url = self.serve(STORIES.exists())
        except BaseException:
            self.stop()
            raise

    def new_key(self, *more: str) -> str:
        return re.search(r"\bpk-[\w.-]+", self.tool("key", "new", "--person", "sdk", "--name", "tests", *more))[0]

    def tool(self, *args: str) -> str:
        done = subprocess.run([BINARY, *args, "--config", self.config, "--data", self.folder / "data"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"portico {' '.join(args)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def serve(self, engine: bool) -> str:
        command = [BINARY, "serve", "--config", self.config, "--data", self.folder / "data", "--listen", "127.0.0.1:0"]
        if engine:
            command += ["--model", STORIES]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        preexec_fn=die_with_parent)
        ready = threading.Event()
        url = []

        def read() -> None:
            for line in self.process.stdout:
                self.said += line
                if found := re.search(r"portico is ready on (http\S+)", line):
                    url.append(found[1].rstrip("/"))
                    ready.set()
            ready.set()

        threading.Thread(target=read, daemon=True).start()
        if not ready.wait(30) or not url:
            if engine and "built without its engine" in self.said:
                return self.serve(False)
            raise RuntimeError(f"portico is not ready:\n{self.said}")
        return url[0]

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.upstream.stop()
        for vendor in self.vendors.values():
            vendor.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    house = House()
    try:
        return subprocess.call(sys.argv[1:], env={**os.environ, "PORTICO_SDK_URL": house.url, "PORTICO_SDK_KEY": house.key,
                                                  "PORTICO_SDK_KEYS": json.dumps(house.keys),
                                                  "PORTICO_SDK_UPSTREAM": house.upstream.url})
    finally:
        house.stop()


if __name__ == "__main__":
    sys.exit(main())
