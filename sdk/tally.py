"""n of N for each client, out of the files in which the two runners leave their results; and those files as one, for
scripts/steps.py. `python3 tally.py MERGED.xml RESULT.xml...`"""

import sys
import xml.etree.ElementTree as xml
from collections import Counter
from pathlib import Path


def client_of(case: xml.Element) -> str:
    """Node's runner names no module; every one of its tests is of the client of that language."""
    module = case.get("classname", "").split(".")[-1]
    if not module.startswith("test_"):
        return "openai (Node)"
    name, _, rest = module.removeprefix("test_").partition("_")
    return f"{name} (its own client reads our fixtures)" if rest.endswith("fixtures") else f"{name} (Python)"


def main() -> int:
    merged, *results = sys.argv[1:]
    suites = xml.Element("testsuites")
    held, asked, skipped = Counter(), Counter(), Counter()
    for path in results:
        if not Path(path).exists():
            sys.exit(f"tally: {path} is absent: its runner ended before it had run a test")
        for case in xml.parse(path).iter("testcase"):
            suites.append(case)
            client = client_of(case)
            asked[client] += 1
            skipped[client] += case.find("skipped") is not None
            held[client] += all(case.find(tag) is None for tag in ("failure", "error", "skipped"))
    xml.ElementTree(suites).write(merged)
    print()
    for client in sorted(asked):
        print(f"{client}: {held[client]} of {asked[client]}" + (f", {skipped[client]} skipped" if skipped[client] else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
