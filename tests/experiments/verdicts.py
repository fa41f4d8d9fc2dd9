#!/usr/bin/env python3
"""How often `gpubench ab` says "slower" or "faster" of two sides whose difference is known.

    tests/experiments/verdicts.py PROGRAM --slowdown PCT [--pairs N] [-- OPTION OF AB...]

Both sides are PROGRAM on the CPU lane; the second waits PCT percent of the time of its steps after them, by the variable
GPUBENCH_TEST_SLOWDOWN_PCT. With 0 the sides are equal, and every verdict but "same" and "unclear" is a false alarm. A line
of CSV for each pair goes to stdout, the counts to stderr.
"""

import argparse
import collections
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VARIABLE = "GPUBENCH_TEST_SLOWDOWN_PCT"
COLUMNS = ["pair", "slowdown_pct", "verdict", "ratio", "low", "high", "rounds", "seconds"]
# Short trainings.
TASK = ["--adapter", "cpu", "--data", "synthetic:12800+200", "--epochs", "1"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--slowdown", type=float, required=True)
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("options", nargs="*", help="further options of ab, after --")
    return parser.parse_args()


def compared(args, folder):
    """What `gpubench ab --json` says of one pair."""
    sides = ["--env", f"{VARIABLE}=0", "--env", f"{VARIABLE}={args.slowdown:g}"]
    command = [args.program.resolve(), "ab", *sides, *TASK, "--json", "--output", folder, *args.options]
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"XDG_DATA_HOME": folder})
    if run.returncode:
        sys.exit(f"gpubench ab ended with {run.returncode}: {run.stderr}")
    return json.loads(run.stdout)


def row(document, seconds):
    """What a line of the table says after the pair's number and slowdown, from the training time's verdict."""
    [comparison] = document["comparisons"]
    training = comparison["figures"][0]
    interval, turns = training["interval"], comparison["turns"]
    bounds = [f"{interval[bound]:.4f}" if bound in interval else "" for bound in ("low", "high")]
    word = training["verdict"] if isinstance(training["verdict"], str) else "none"
    return [word, f"{training['ratio']:.4f}", *bounds, len(turns["order"]) // 2, f"{seconds:.1f}"]


def interval(hits, pairs):
    """Wilson's interval of a share at 95 %, in percent."""
    z, share = 1.959964, hits / pairs
    middle = (share + z * z / (2 * pairs)) / (1 + z * z / pairs)
    half = z * math.sqrt(share * (1 - share) / pairs + z * z / (4 * pairs * pairs)) / (1 + z * z / pairs)
    return 100 * (middle - half), 100 * (middle + half)


def main():
    args = arguments()
    rows = csv.writer(sys.stdout)
    rows.writerow(COLUMNS)
    counts = collections.Counter()
    for pair in range(1, args.pairs + 1):
        with tempfile.TemporaryDirectory() as folder:
            begun = time.monotonic()
            told = row(compared(args, folder), time.monotonic() - begun)
        rows.writerow([pair, f"{args.slowdown:g}", *told])
        sys.stdout.flush()
        counts[told[0]] += 1
    for word, count in counts.most_common():
        low, high = interval(count, args.pairs)
        print(f"{word}: {count} of {args.pairs} pairs ({low:.1f} to {high:.1f} %)", file=sys.stderr)


if __name__ == "__main__":
    main()
