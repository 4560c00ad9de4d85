"""The steps of `make test`, one after the other, each timed and each with its log in .work/log; then a table, the tests
that were skipped by name, and a last line of counts. A failed step does not stop the rest. What a step leaves running
is named, ended, and makes the step fail. It installs nothing: scripts/setup has done that."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(os.environ["ROOT"])
WORK = Path(os.environ["WORK"])
SHARED = Path(os.environ["PORTICO_SHARED"])
LOG = WORK / "log"
NEXTEST = WORK / "nextest/default/junit.xml"
VITEST = LOG / "vitest.json"
E2E = LOG / "e2e.xml"
SDK = LOG / "sdk.xml"
MCP = LOG / "mcp.xml"
PROMETHEUS = LOG / "prometheus.xml"

# One build for all: every step names the whole workspace in the development profile, so that a crate, and above all the engine's C++
# (which is the Release build in every profile), is compiled once. Making the tests makes the program that the later steps start, too.
WHOLE = "--workspace --locked"
ENGINE = f"{WHOLE} --features portico/engine,engine/llama"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
os.environ["PORTICO_BIN"] = str(TARGET / "debug/portico")
# What only a build without the engine can show: that it says so.
WITHOUT = "test(who_cannot_train) | test(/^library::doors/) | test(/^life::/)"

# name, command, and the file in which its runner leaves counts.
STEPS = [
    ("packages", "scripts/web-build packages", None),
    ("pages", "scripts/web-build", None),
    ("format", "cargo fmt --all --check", None),
    ("openings", "scripts/check/openings", None),
    ("dependencies", "scripts/check/dependencies", None),
    ("lints", f"cargo clippy {WHOLE} --all-targets -- -D warnings", None),
    ("engine-lints", f"cargo clippy {ENGINE} --all-targets -- -D warnings", None),
    ("minilm", "scripts/minilm", None),
    ("engineless", f"scripts/with-postgres cargo nextest run {WHOLE} -E '{WITHOUT}'", NEXTEST),
    ("program", f"cargo nextest run {ENGINE} --no-run", None),
    ("tests", f"scripts/with-postgres cargo nextest run {ENGINE}", NEXTEST),
    ("deploy", "scripts/check/deploy", None),
    ("starter", "starter/examine", None),
    ("web-lints", "cd web && npm run --silent lint", None),
    ("web-contract", "scripts/check/contract", None),
    ("web-tests", f"cd web && npm run --silent test -- --reporter=default --reporter=json --outputFile.json={VITEST}", VITEST),
    ("web-budget", "cd web && npm run --silent budget", None),
    ("sdk", "scripts/sdk", SDK),
    ("mcp", "scripts/mcp", MCP),
    ("prometheus", "scripts/prometheus", PROMETHEUS),
    ("browser", f"scripts/e2e --junit {E2E}", E2E),
]


@dataclass
class Outcome:
    name: str
    ok: bool
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    note: str = ""


def main() -> int:
    wanted = sys.argv[1:]
    if wanted == ["--list"]:
        print("\n".join(name for name, _, _ in STEPS))
        return 0
    known = [name for name, _, _ in STEPS]
    for name in wanted:
        if name not in known:
            sys.exit(f"test: there is no step {name!r}; there are: {', '.join(known)}")
    adopt_orphans()
    LOG.mkdir(parents=True, exist_ok=True)
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)

    outcomes = [material()]
    try:
        for name, command, counts in STEPS:
            if not wanted or name in wanted:
                outcomes.append(run(name, command, counts))
    except KeyboardInterrupt:
        outcomes.append(Outcome("interrupted", False, 0, failed=1))
    return report(outcomes, not wanted)


def material() -> Outcome:
    """Tests that need the shared material skip themselves without it; on CI its absence is a failure."""
    if SHARED.is_dir():
        return Outcome("material", True, 0, passed=1)
    if os.environ.get("CI") == "true":
        return Outcome("material", False, 0, failed=1, note=f"{SHARED} is absent, and CI=true asks for it")
    return Outcome("material", True, 0, skipped=[f"what needs {SHARED} (set PORTICO_SHARED)"])


def run(name: str, command: str, counts: Path | None) -> Outcome:
    print(f"\n── {name}: {command}", flush=True)
    if counts:
        counts.unlink(missing_ok=True)
    began = time.monotonic()
    with open(LOG / f"{name}.log", "wb") as log:
        step = subprocess.Popen(["bash", "-c", command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True)
        # A thread, because the end of the step is not the end of its output: a left-over would hold the pipe open.
        copier = threading.Thread(target=copy, args=(step.stdout.fileno(), log))
        copier.start()
        try:
            ok = step.wait() == 0
        except KeyboardInterrupt:
            os.killpg(step.pid, signal.SIGTERM)
            raise
        finally:
            left = end_leftovers()
            copier.join()
    outcome = Outcome(name, ok, time.monotonic() - began)
    if left:
        outcome.ok, outcome.note = False, f"left running: {', '.join(left)}"
    if counts:
        count(outcome, counts)
    else:
        outcome.passed = int(outcome.ok)
    if not outcome.ok and not outcome.failed:
        outcome.failed = 1
    return outcome


def copy(pipe: int, log: IO[bytes]) -> None:
    while piece := os.read(pipe, 65536):
        os.write(1, piece)
        log.write(piece)


def count(outcome: Outcome, path: Path) -> None:
    """Counts as its runner wrote them; a runner that wrote none failed before it ran a test."""
    if not path.exists():
        outcome.ok, outcome.note = False, outcome.note or "no test ran"
    elif path.suffix == ".json":
        told = json.loads(path.read_text())
        outcome.passed, outcome.failed = told["numPassedTests"], told["numFailedTests"]
        tests = [test for file in told["testResults"] for test in file["assertionResults"]]
        outcome.skipped = [test["fullName"] for test in tests if test["status"] in ("pending", "skipped", "todo")]
    else:
        for case in xml.parse(path).iter("testcase"):
            name = f"{case.get('classname', '')} {case.get('name', '')}".strip()
            said = "\n".join(text.text or "" for text in case if text.tag in ("system-out", "system-err"))
            aside = case.find("skipped")
            why = aside.get("message") if aside is not None else next((line.strip() for line in said.splitlines() if line.strip().lower().startswith("skipped")), None)
            if case.find("failure") is not None or case.find("error") is not None:
                outcome.failed += 1
            elif why or aside is not None:
                outcome.skipped.append(f"{name}: {why}" if why else name)
            else:
                outcome.passed += 1


def adopt_orphans() -> None:
    """Processes whose parents die become our children instead of init's, so that none is lost from sight."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def children() -> list[tuple[int, str]]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, _, rest = stat.read_text().rpartition(")")
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if int(parent) == os.getpid() and state != "Z":
            pid, _, name = head.partition(" (")
            found.append((int(pid), name))
    return found


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


def end_leftovers() -> list[str]:
    """What still runs some seconds after its step has ended; it is killed."""
    patience = time.monotonic() + 3
    while children() and time.monotonic() < patience:
        reap()
        time.sleep(0.05)
    left = children()
    while left_now := children():
        for pid, _ in left_now:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        reap()
    reap()
    return [f"{name} ({pid})" for pid, name in left]


def report(outcomes: list[Outcome], whole: bool) -> int:
    print(f"\n{'step':<14} {'result':<8} {'time':>7} {'passed':>7} {'failed':>7} {'skipped':>8}")
    for one in outcomes:
        result = "failed" if not one.ok else "skipped" if one.skipped and not one.passed else "passed"
        print(f"{one.name:<14} {result:<8} {one.seconds:>5.0f} s {one.passed:>7} {one.failed:>7} {len(one.skipped):>8}  {one.note}".rstrip())
    skipped = [f"{one.name}: {name}" for one in outcomes for name in one.skipped]
    if skipped:
        print("\nskipped:\n" + "\n".join(f"  {line}" for line in skipped))
    passed, failed = sum(one.passed for one in outcomes), sum(one.failed for one in outcomes)
    whole_note = "" if whole else " (not all steps were asked for)"
    print(f"\n{passed} passed, {failed} failed, {len(skipped)} skipped in {sum(one.seconds for one in outcomes):.0f} s{whole_note}")
    return int(any(not one.ok for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
