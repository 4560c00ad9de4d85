"""Examines a starter model: runs it in the release binary's `portico engine`, asks greedily, and prints the share of right answers by kind and
language, and how well the worker's `usage.confidence` separates answered from declined kinds (AUROC). Of held-out questions it prints nothing but
these shares; `--questions FILE --show` prints the failures of questions of one's own. `--snapshot FILE` compares whole answers, or writes them.
`--least FILE` fails where a share or the AUROC is below the one in that file, which is what it prints."""

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from difflib import unified_diff
from fractions import Fraction
from pathlib import Path
from typing import Iterator

FOLDER = Path(__file__).parent
LONGEST = 120
CALL = re.compile(r"<tool_call>\n(.*)\n</tool_call>", re.DOTALL)


def main() -> int:
    arguments = read_arguments()
    facts = json.loads((FOLDER / "facts.json").read_text(encoding="utf-8"))
    files = [arguments.questions] if arguments.questions else sorted((FOLDER / "questions").glob("*.jsonl"))
    questions = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines() if line]
    if not questions:
        sys.exit("ask: there are no questions")
    with worker(arguments.binary, arguments.model) as url, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: ask(url, one["question"]), questions))
    if arguments.snapshot:
        return compare(arguments.snapshot, questions, answers)

    scores: dict[str, float] = {}
    right: dict[tuple[str, str], list[bool]] = {}
    for one, (text, _) in zip(questions, answers):
        ok = is_right(one, text, facts)
        right.setdefault((one["kind"], one["lang"]), []).append(ok)
        if arguments.show and arguments.questions and not ok:
            print(f"{one['kind']}: {one['question']!r} -> {text!r}")
    for (kind, language), oks in sorted(right.items()):
        print(f"{kind},{language},{sum(oks)},{len(oks)}")
        scores[f"{kind},{language}"] = sum(oks) / len(oks)
    known = [sure for one, (_, sure) in zip(questions, answers) if one["kind"] != "unknown"]
    unknown = [sure for one, (_, sure) in zip(questions, answers) if one["kind"] == "unknown"]
    if known and unknown:
        scores["auroc,"] = auroc(known, unknown)
        print(f"auroc,,{scores['auroc,']:.4f},1")
    return below(arguments.least, scores) if arguments.least else 0


def below(path: Path, scores: dict[str, float]) -> int:
    """How many of the file's shares were not reached. One question of a hundred may fall another way on another processor."""
    failed = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, language, of, count = line.split(",")
        least = float(of) / float(count) - 0.011
        seen = scores.get(f"{kind},{language}", 0.0)
        if seen < least:
            print(f"ask: {kind} {language}: {seen:.3f} is less than {least:.3f}", file=sys.stderr)
            failed += 1
    return min(failed, 1)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--binary", type=Path, default=FOLDER.parent / "target/release/portico")
    parser.add_argument("--questions", type=Path, help="one's own, instead of the held-out ones")
    parser.add_argument("--show", action="store_true", help="print the failures of one's own questions")
    parser.add_argument("--snapshot", type=Path)
    parser.add_argument("--least", type=Path)
    return parser.parse_args()


@contextmanager
def worker(binary: Path, model: Path) -> Iterator[str]:
    """The worker on a port of the system's choice; the log's first lines say which."""
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "engine", "--model", model, "--listen", "127.0.0.1:0", "--name", "starter"]
        with open(Path(folder) / "log", "w+", encoding="utf-8") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env={**os.environ, "LOG": "info"})
            try:
                line = process.stdout.readline().decode()
                found = re.search(r"127\.0\.0\.1:\d+", line)
                if not found:
                    process.kill()
                    log.seek(0)
                    sys.exit(f"ask: the worker said {line!r}\n{log.read()}")
                url = f"http://{found[0]}"
                while not is_ready(url):
                    time.sleep(0.1)
                yield url
            finally:
                process.terminate()
                process.wait()


def is_ready(url: str) -> bool:
    try:
        return urllib.request.urlopen(f"{url}/health", timeout=10).status == 200
    except urllib.error.HTTPError:
        return False


def ask(url: str, question: str) -> tuple[str, float]:
    body = {"model": "starter", "messages": [{"role": "user", "content": question}], "temperature": 0, "max_tokens": LONGEST, "confidence": True}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        told = json.load(answer)
    return told["choices"][0]["message"]["content"] or "", told["usage"]["confidence"]["mean"]


def is_right(one: dict, text: str, facts: dict) -> bool:
    match one["kind"]:
        case "facts":
            return holds(text, next(fact for fact in facts["facts"] if fact["id"] == one["fact"])["must"][one["lang"]])
        case "unknown":
            return holds(text, facts["decline"]["must"][one["lang"]])
        case "extraction":
            text = text.strip()
            return one["answer"] in (text, re.sub(r"[.。]$", "", text))
        case "tools":
            return calls(text, one["tool"])
    raise ValueError(one["kind"])


def holds(text: str, must: list[list[str]]) -> bool:
    return all(any(part in text.lower() for part in group) for group in must)


def calls(text: str, wanted: dict) -> bool:
    found = CALL.fullmatch(text.strip())
    try:
        call = json.loads(found[1]) if found else {}
        if call.get("name") != wanted["name"]:
            return False
        if call["name"] == "clock":
            return call["arguments"] == wanted["arguments"]
        given, right = (value(one["arguments"]["expression"]) for one in (call, wanted))
    except (ValueError, KeyError, TypeError, AttributeError, SyntaxError, ZeroDivisionError):
        return False
    return abs(given - right) <= Fraction(1, 10**9) * max(1, abs(right))


def value(expression: str) -> Fraction:
    """What an expression of numbers, + - * /, parentheses and % (a hundredth) is worth."""
    if not re.fullmatch(r"[\d.+\-*/()% ]+", expression) or "**" in expression or "//" in expression:
        raise ValueError(expression)
    return worth(ast.parse(re.sub(r"([\d.]+) *%", r"(\1/100)", expression), mode="eval").body, expression)


def worth(node: ast.expr, text: str) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -worth(operand, text)
        case ast.BinOp(left=left, op=op, right=right):
            one, other = worth(left, text), worth(right, text)
            match op:
                case ast.Add():
                    return one + other
                case ast.Sub():
                    return one - other
                case ast.Mult():
                    return one * other
                case ast.Div():
                    return one / other
    raise ValueError(text)


def auroc(known: list[float], unknown: list[float]) -> float:
    """How often a known question's answer is the surer one of a pair (Mann and Whitney, 1947)."""
    wins = sum((one > other) + 0.5 * (one == other) for one in known for other in unknown)
    return wins / (len(known) * len(unknown))


def compare(path: Path, questions: list[dict], answers: list[tuple[str, float]]) -> int:
    said = "".join(f"{one['question']}\n  -> {text}\n" for one, (text, _) in zip(questions, answers))
    if not path.exists():
        path.write_text(said, encoding="utf-8")
        print(f"{path}: written")
        return 0
    changes = list(unified_diff(path.read_text(encoding="utf-8").splitlines(), said.splitlines(), str(path), "said now", lineterm="", n=1))
    print("\n".join(changes) or f"{path}: {len(questions)} answers are the same")
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main())
