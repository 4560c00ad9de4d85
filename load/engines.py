"""What load/engine measures with: our worker and a llama-server started in the one way that everybody compares them, one asker
for both, and the reckoning. It decides nothing about what is measured, or what it has to be."""

import functools
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench import ROOT, TOOLS, Stage, free_port, rss_mib

# Both have a cache of this many tokens, for 16 answers at once. A worker makes eight contexts of it.
CELLS = 65536
PARALLEL = 16
# What an ordinary token of Llama 3's vocabulary is: below it stand bytes and the ends of characters, above it marks.
WORDS = range(1000, 100_000)


class Engine:
    """A running server with a model, and where to ask it."""

    def __init__(self, name: str, process: subprocess.Popen, port: int, seconds: float = 180):
        self.name, self.process, self.port = name, process, port
        self.until_ready(seconds)

    def until_ready(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (OSError, urllib.error.URLError):
                time.sleep(0.02)
        sys.exit(f"load: {self.name} is not ready")

    def rss(self) -> float:
        return rss_mib(self.process.pid)

    def ask(self, *plan: dict, at_once: int = 0, patience: int = 900) -> list[dict]:
        """What each request of the plan was told, all of them at `at_once` at a time or when each is due."""
        lines = "".join(json.dumps({"name": "", **line, "body": {"model": "m", **line["body"]}}) + "\n" for line in plan)
        done = subprocess.run([TOOLS / "asker", "--address", f"127.0.0.1:{self.port}", "--concurrency", str(at_once), "--patience", str(patience)],
                              input=lines, capture_output=True, text=True, check=True)
        # Not splitlines(): answers hold other line ends than this.
        told = [json.loads(line) for line in done.stdout.split("\n") if line]
        for one in told:
            if one["error"]:
                sys.exit(f"load: {self.name}: {one['name']}: {one['error']}")
        return told


def ours(stage: Stage, binary: Path, model: Path, threads: int, *flags: str) -> Engine:
    """It says where it listens on its first line."""
    worker = stage.start(binary, "engine", "--model", model, "--name", "m", "--threads", threads, "--context", CELLS // 8, *flags,
                         stdout=subprocess.PIPE)
    return Engine("our worker", worker, int(json.loads(worker.stdout.readline())["listening"].rpartition(":")[2]))


def theirs(stage: Stage, model: Path, threads: int) -> Engine:
    port = free_port()
    server = stage.start(peer("llama-server"), "-m", model, "--alias", "m", "--host", "127.0.0.1", "--port", port, "--threads", threads,
                         "--ctx-size", CELLS, "--parallel", PARALLEL, "--offline")
    return Engine("llama-server", server, port)


@functools.cache
def peer(program: str) -> Path:
    """A program of llama.cpp, built where it is not there yet."""
    done = subprocess.run([ROOT / "scripts/llama-server", program], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


@functools.cache
def model(kind: str) -> Path:
    """A model of the shape of Llama 3.2 1B with random weights, made where it is not there yet."""
    done = subprocess.run([ROOT / "scripts/engine-models", kind], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def bench(path: Path, threads: int, tokens: int) -> float:
    """Tokens per second of llama-bench's decode."""
    done = subprocess.run([peer("llama-bench"), "-m", path, "-t", str(threads), "-p", "0", "-n", str(tokens), "-r", "1", "-fa", "1", "-o", "json"],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout)[0]["avg_ts"]


def words(count: int, seed: object) -> list[int]:
    """Tokens that nobody has asked with before, where the seed is new."""
    return random.Random(str(seed)).choices(WORDS, k=count)


def request(prompt: list[int], tokens: int, **more) -> dict:
    """As many tokens as are said, the likeliest, whatever they are."""
    return {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True, "stream": True,
            "stream_options": {"include_usage": True}, **more}


def first(answer: dict) -> float:
    """Seconds to the first piece; to the end where all tokens were marks without a text."""
    return ([*answer["pieces"], answer["ended"]][0] - answer["asked"]) / 1e6


def rate(answer: dict) -> float:
    """Tokens per second after the first. Guesses bring several with one piece; here they are off."""
    return (answer["usage"]["completion_tokens"] - 1) * 1e6 / (answer["pieces"][-1] - answer["pieces"][0])


def gaps(answer: dict, begin: float, end: float) -> list[float]:
    """Seconds between pieces that lie within a time, in microseconds; the one that it begins with belongs to it."""
    pairs = zip(answer["pieces"], answer["pieces"][1:])
    return [(after - before) / 1e6 for before, after in pairs if after > begin and before < end]


def quantile(values: list[float], q: float) -> float:
    values = sorted(values)
    return values[min(len(values) - 1, math.ceil(q * len(values)) - 1)] if values else math.nan


def middle(values: list[float]) -> tuple[float, float, float]:
    """The median with its interval of 95 % by order statistics, which asks for no distribution. Fewer than six values have no such
    interval: then it is all of them."""
    values, n = sorted(values), len(values)
    below = 0
    while n > 5 and sum(math.comb(n, k) for k in range(below + 1)) / 2**n <= 0.025:
        below += 1
    rank = max(below - 1, 0)
    return statistics.median(values), values[rank], values[n - 1 - rank]


class Table:
    """What must be shown: the figures, and whether they are what they have to be."""

    def __init__(self, section: str):
        self.section, self.rows = section, []

    def add(self, what: str, ours: str, theirs: str, goal: str = "", met: bool | None = None) -> None:
        self.rows.append([what, ours, theirs, goal, {None: "", True: "yes", False: "NO"}[met]])

    def ratio(self, what: str, pairs: list[tuple[float, float]], least: float, unit: str) -> None:
        """Pairs of ours and theirs: met when the interval of the median reaches the goal."""
        mid, low, high = middle([mine / other for mine, other in pairs])
        mine, other = (statistics.median(side) for side in zip(*pairs))
        self.add(f"{what}: {mid:.3f}x [{low:.3f}, {high:.3f}], n = {len(pairs)}", f"{mine:.1f} {unit}", f"{other:.1f} {unit}",
                 f"≥ {least}x", high >= least)

    def met(self) -> tuple[int, int]:
        judged = [row for row in self.rows if row[4]]
        return sum(row[4] == "yes" for row in judged), len(judged)


def cores() -> int:
    return len(os.sched_getaffinity(0))
