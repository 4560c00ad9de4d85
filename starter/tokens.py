"""Holds the vocabulary's own tokens against llama.cpp's: 10,000 random texts, asked of the worker as prompts, must count as many tokens there as here,
and so must every beginning of a hundred of them, letter by letter."""

import json
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from ask import FOLDER, worker  # noqa: E402

TEXTS = 10_000
BY_LETTER = 100


def main() -> int:
    program, vocabulary, model, binary = map(Path, sys.argv[1:5])
    run = [program, "--folder", FOLDER, "--vocabulary", vocabulary]
    lines = subprocess.run([*run, "--random", str(TEXTS)], check=True, capture_output=True).stdout.decode().splitlines()
    texts = [json.loads(line) for line in lines]
    texts += [text[:end] for text in texts[:BY_LETTER] for end in range(1, len(text))]
    asked = "".join(f"{json.dumps(text)}\n" for text in texts)
    ours = subprocess.run(run, input=asked.encode(), check=True, capture_output=True).stdout.decode().split("\n")[:-1]
    with worker(binary, model) as url, ThreadPoolExecutor(4) as pool:
        theirs = list(pool.map(lambda text: count(url, text), texts))
    wrong = [text for text, mine, other in zip(texts, ours, theirs, strict=True) if len(mine.split()) != other]
    print(f"{len(texts)} texts, {len(wrong)} counted otherwise {wrong[:3]}")
    return 1 if wrong else 0


def count(url: str, text: str) -> int:
    body = {"model": "starter", "prompt": text, "max_tokens": 1}
    request = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)["usage"]["prompt_tokens"]


if __name__ == "__main__":
    sys.exit(main())
