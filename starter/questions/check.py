"""Counts and validates the questions; it asks no model and reads no training text.

Run it anywhere: `python3 starter/questions/check.py`. It ends with the first mistake, by file and id.
"""

import ast
import json
import operator
import re
from pathlib import Path

HERE = Path(__file__).parent
LANGUAGES = ("en", "zh")
KINDS = {"facts": "fact", "extraction": "answer", "tools": "tool", "unknown": None}
PER_FILE = 100
OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def main():
    facts = json.loads((HERE.parent / "facts.json").read_text(encoding="utf-8"))
    seen = set()
    for lang in LANGUAGES:
        lists = json.loads((HERE / "lists" / f"{lang}.json").read_text(encoding="utf-8"))
        for kind in KINDS:
            rows = read(kind, lang)
            for row in rows:
                check_shape(row, kind, lang, seen)
                CHECKS[kind](row, facts, lists)
            if kind == "facts":
                check_wordings(rows, facts)
            print(f"{kind:10} {lang} {len(rows)}")


def read(kind, lang):
    lines = (HERE / f"{kind}.{lang}.jsonl").read_text(encoding="utf-8").splitlines()
    expect(len(lines) == PER_FILE, f"{kind}.{lang}.jsonl", f"{len(lines)} lines instead of {PER_FILE}")
    return [json.loads(line) for line in lines]


def check_shape(row, kind, lang, seen):
    keys = {"id", "lang", "kind", "question"} | ({KINDS[kind]} - {None})
    expect(set(row) == keys, row["id"], f"its keys are not {sorted(keys)}")
    expect((row["kind"], row["lang"]) == (kind, lang), row["id"], "it stands in another's file")
    for unique in (row["id"], row["question"]):
        expect(unique not in seen, row["id"], f"{unique!r} occurs twice")
        seen.add(unique)


def check_wordings(rows, facts):
    for fact in facts["facts"]:
        wordings = sum(row["fact"] == fact["id"] for row in rows)
        expect(wordings >= 2, fact["id"], f"{wordings} wordings, of two at least")


def check_fact(row, facts, _):
    expect(row["fact"] in {fact["id"] for fact in facts["facts"]}, row["id"], f"no fact {row['fact']!r}")


def check_extraction(row, _, lists):
    values = lists["companies"] + lists["people"] + lists["amounts"] + lists["dates"]
    expect(row["answer"] in values, row["id"], "its answer is in no list")
    expect(row["question"].count(row["answer"]) == 1, row["id"], "its answer does not occur exactly once")


def check_tool(row, facts, _):
    name, arguments = row["tool"]["name"], row["tool"]["arguments"]
    if name == "calculator":
        expect(set(arguments) == {"expression"}, row["id"], "a calculation has one expression")
        evaluate(arguments["expression"])
        return
    expect(name == "clock", row["id"], f"no tool {name!r}")
    named = {
        place["iana"] for place in facts["timezones"] if any(place[lang] in row["question"] for lang in LANGUAGES)
    }
    expect(set(arguments.values()) == named, row["id"], f"the question names {sorted(named)}")
    expect(set(arguments) <= {"timezone"}, row["id"], "a clock takes a timezone alone")


def check_unknown(row, _, __):
    expect("portico" not in row["question"].lower(), row["id"], "it asks about Portico")


def evaluate(expression):
    """The value of numbers, + - * /, parentheses and percent (a hundredth); anything else raises."""
    return value(ast.parse(re.sub(r"(\d+(?:\.\d+)?)%", r"(\1/100)", expression), mode="eval").body)


def value(node):
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](value(node.left), value(node.right))
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    raise ValueError(f"not arithmetic: {ast.unparse(node)}")


def expect(holds, where, complaint):
    if not holds:
        raise SystemExit(f"{where}: {complaint}")


CHECKS = {"facts": check_fact, "extraction": check_extraction, "tools": check_tool, "unknown": check_unknown}

if __name__ == "__main__":
    main()
