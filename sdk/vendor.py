"""A vendor's server as the adapters' Rust tests script it (crates/models/examples/vendor.rs), for the vendor's own client: what
our adapter reads, the client must accept, too. No Portico is in between."""

import os
import subprocess
from pathlib import Path


class Vendor:
    """`ollama`, `azure`, `anthropic` or `gemini`, at `url` until `stop`."""

    def __init__(self, kind: str):
        root = Path(__file__).resolve().parent.parent
        program = os.environ.get("PORTICO_VENDOR") or root / "target/debug/examples/vendor"
        self.process = subprocess.Popen([program, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.url

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=5)
