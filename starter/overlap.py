"""Holds the training text (conversations as `write` prints them, on standard input) against the held-out questions: how many of these occur in it
whole, and how many runs of eight words of theirs do (a word is a Latin word, a number, or one character of Chinese). It prints counts and nothing
else of the questions. It fails when a question or eight words of an answer occur. With a file's name it writes there, one a line, the numbers of the
conversations in which they do, which `teach` leaves out: who writes the text learns nothing of the questions by that. Conversations that are named
there already are not looked at."""

import json
import re
import sys
from pathlib import Path

RUN = 8
WORD = re.compile(r"[a-z]+|\d+|[\u3400-\u9fff]")


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def runs(of: list[str]) -> set[tuple[str, ...]]:
    return {tuple(of[at : at + RUN]) for at in range(len(of) - RUN + 1)}


def main() -> int:
    folder = Path(__file__).parent / "questions"
    questions = [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines() if line]
    if not questions:
        sys.exit("overlap: there are no questions to look for")
    kinds = sorted({one["kind"] for one in questions})
    whole: dict[tuple[str, ...], set[int]] = {}
    parts: dict[tuple[str, ...], set[int]] = {}
    answers: dict[tuple[str, ...], set[int]] = {}
    for number, one in enumerate(questions):
        said = words(one["question"])
        whole.setdefault(tuple(said), set()).add(number)
        for run in runs(said):
            parts.setdefault(run, set()).add(number)
        if isinstance(one.get("answer"), str):
            for run in runs(words(one["answer"])):
                answers.setdefault(run, set()).add(number)
    found: dict[str, set[int]] = {"whole": set(), "run": set(), "slot": set()}
    aside = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    left_out = set(map(int, aside.read_text().split())) if aside and aside.exists() else set()
    before = len(left_out)
    number = 0
    for number, line in enumerate(sys.stdin):
        if number in left_out:
            continue
        for turn in json.loads(line)["turns"]:
            said = words(turn[0])
            occurs = whole.get(tuple(said), set())
            slots = set().union(*(answers.get(run, set()) for run in runs(said)))
            if aside and not before and (occurs or slots):
                left_out.add(number)
                break
            found["whole"] |= occurs
            found["slot"] |= slots
            for run in runs(said):
                found["run"] |= parts.get(run, set())
    if aside and not before:
        aside.write_text("".join(f"{one}\n" for one in sorted(left_out)))
    print(f"{number + 1 - len(left_out)} conversations ({len(left_out)} left out) against {len(questions)} questions")
    for kind in kinds:
        of_kind = {number for number, one in enumerate(questions) if one["kind"] == kind}
        counts = ", ".join(f"{name} {len(numbers & of_kind)}" for name, numbers in found.items())
        print(f"{kind}: {len(of_kind)} questions; {counts}")
    return 1 if found["whole"] or found["slot"] else 0


if __name__ == "__main__":
    sys.exit(main())
