#!/usr/bin/env python3
"""Makes a site of very many files, of which most are damaged or hostile, and tells its time and memory.

    tests/experiments/site.py PROGRAM [--files 100000] [--results 20000]

The results are those in results/, each with a start, a device and file name of its own, some of which are hostile: HTML,
script, ANSI escapes, formulas of spreadsheets, bidirectional characters. The other files are cut off, empty, other JSON,
no text, deeply nested, or lists. Exits with 1 unless the site holds every result, tells how much it could not read in
few lines, escapes what is hostile, and keeps its memory below 512 MiB.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_MEMORY_BYTES = 512 << 20
MOST_LINES = 40
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\x1b[2J\x1b]0;title\x07",
    "=HYPERLINK(\"http://example.org\")",
    "+1+1",
    "\u202ereversed",
    "\u2028line\u2029separators",
    "'; DROP TABLE results; --",
]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--results", type=int, default=20_000)
    return parser.parse_args()


def damaged(number, text):
    """The content of a file that is no result."""
    kinds = [
        lambda: text[: len(text) * (number % 97 + 1) // 100],
        lambda: "",
        lambda: '{"schema": "else", "schema_version": 1}',
        lambda: "\ufffd\x00\x01 no JSON",
        lambda: "[" * 2000,
        lambda: "[]",
        lambda: text.replace('"schema_version": 2', '"schema_version": 99').replace(
            '"schema_version": 1', '"schema_version": 99'
        ),
        lambda: HOSTILE[number % len(HOSTILE)],
    ]
    return kinds[number % len(kinds)]()


def write(folder, args):
    sources = sorted((ROOT / "results").glob("*.json"))
    # The smallest, so that there is room for many.
    texts = sorted((path.read_text() for path in sources), key=len)[:3]
    for number in range(args.files):
        text = texts[number % len(texts)]
        path = folder / f"{number:06}.json"
        if number % (args.files // args.results) == 0:
            result = json.loads(text)
            result.pop("digest", None)
            result["started_utc"] = f"2026-01-{number % 28 + 1:02}T10:00:00.{number:06}Z"
            if number % 5 == 0:
                result["environment"]["adapter"]["name"] = HOSTILE[number % len(HOSTILE)]
                path = folder / f"{number:06} <b>{number}.json"
            text = json.dumps(result)
        else:
            text = damaged(number, text)
        path.write_text(text)


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "results").mkdir()
        write(folder / "results", args)
        begun = time.monotonic()
        made = subprocess.run(
            [args.program.resolve(), "site", "results", "-o", "site"],
            cwd=folder,
            capture_output=True,
            text=True,
            env=os.environ | {"NODEVICE_SELECT": "1"},
        )
        took_s = time.monotonic() - begun
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        lines = made.stderr.splitlines()
        data = (folder / "site/data.js").read_text()
        rows = data.count('"file":')
        results = sum(1 for _ in range(0, args.files, args.files // args.results))
        print(f"{args.files} files, {rows} rows in {took_s:.1f} s, at most {memory / 2**20:.0f} MiB; exit {made.returncode}")
        print(*lines[-3:], sep="\n")
        fine = {
            "every result is a row": rows == results,
            "exit code 3": made.returncode == 3,
            "few lines": len(lines) <= MOST_LINES,
            "nothing is markup": "<" not in data and "\x1b" not in data and "\u202e" not in data,
            "little memory": memory <= MOST_MEMORY_BYTES,
            "names are plain": all(
                set(path.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
                for path in (folder / "site/results").iterdir()
            ),
        }
        print(*(what for what, holds in fine.items() if not holds), sep="\n")
        return int(not all(fine.values()))


if __name__ == "__main__":
    sys.exit(main())
