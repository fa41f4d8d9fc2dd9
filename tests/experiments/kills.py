#!/usr/bin/env python3
"""Ends runs at random moments, by SIGKILL and by SIGINT, and looks at what they leave.

    tests/experiments/kills.py PROGRAM [--runs N] [--adapter WHICH] [--seed S] [--longest SECONDS]

After N runs of each signal, ended between 0 and SECONDS after their start, one run is left to its end. Counted are:
empty files, results that cannot be read, results "under way" of runs that got SIGINT, temporary files and folders after
the last run, panics, exit codes that docs/REFERENCE.md does not give for SIGINT. Exits with 1 where any is not 0.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# The reason of a result whose run has not ended.
UNDER_WAY = "the run is under way"
# Complete or interrupted; killed by the signal itself before the program hears it.
INTERRUPTED = {0, 130, -signal.SIGINT}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--adapter", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=3.0)
    return parser.parse_args()


def command(args, folder):
    environment = os.environ | {
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "TMPDIR": str(folder / "tmp"),
        "NODEVICE_SELECT": "1",
    }
    run = [args.program.resolve(), "--adapter", args.adapter, "--data", "synthetic:1500+200", "--epochs", "3"]
    return {"args": run + ["--repeat", "3"], "env": environment, "cwd": folder}


def ended(args, folder, moment, number):
    """One run that gets the signal `number` after `moment` seconds: its exit code and what it says."""
    with subprocess.Popen(**command(args, folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        time.sleep(moment)
        run.send_signal(number)
        _, errors = run.communicate(timeout=120)
        return run.returncode, errors


def leftovers(folder):
    """Files and folders that are neither results nor caches nor the lock of one."""
    paths = [path for path in folder.rglob("*") if ".tmp" in path.name or path.parent == folder / "tmp"]
    return sorted(str(path.relative_to(folder)) for path in paths)


def statuses(folder):
    for path in folder.glob("data/gpubench/results/*.json"):
        try:
            result = json.loads(path.read_text())
            yield "under way" if UNDER_WAY in result["reasons"] else result["status"]
        except (ValueError, KeyError):
            yield "unreadable"


def tried(args, number):
    """Counts of what went wrong with `number`, by name."""
    draw = random.Random(args.seed)
    counts = dict.fromkeys(["panics", "other exit codes", "empty files", "unreadable", "under way", "left behind"], 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        for _ in range(args.runs):
            moment = draw.uniform(0.0, args.longest)
            code, errors = ended(args, folder, moment, number)
            counts["panics"] += "panicked" in errors or code == 101
            counts["other exit codes"] += number == signal.SIGINT and code not in INTERRUPTED
            counts["empty files"] += sum(path.stat().st_size == 0 for path in folder.glob("data/gpubench/**/*.json"))
        found = list(statuses(folder))
        counts["unreadable"] = found.count("unreadable")
        counts["under way"] = found.count("under way") if number == signal.SIGINT else 0
        subprocess.run(**command(args, folder), check=True, capture_output=True)
        left = leftovers(folder)
        counts["left behind"] = len(left)
        kept = {status: found.count(status) for status in sorted(set(found))}
        print(f"{signal.Signals(number).name}: {args.runs} runs; results {kept}; {counts}", *left[:5], sep="\n  ")
    return counts


def main():
    args = arguments()
    counts = [tried(args, number) for number in (signal.SIGKILL, signal.SIGINT)]
    return int(any(value for of_signal in counts for value in of_signal.values()))


if __name__ == "__main__":
    sys.exit(main())
