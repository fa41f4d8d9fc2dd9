#!/usr/bin/env python3
"""Lets each kind of Vulkan call fail at each of its first calls, for every verb that works on a device.

    tests/experiments/faults.py PROGRAM [--calls 1,2,5,10] [--verbs run,profile] [--functions vkQueueSubmit] [--jobs N]

Builds the layer in tests/fixtures/fault_layer.rs with rustc, counts the calls of each function while each verb does its
work, and lets each function fail from the given calls on, those that are made ("all": from each of the first 200 on).
Counted are panics (also exit code 101), ends by a signal, other exit codes than docs/REFERENCE.md gives for a device,
empty files, results that cannot be read, and results that do not tell how their run ended. Exits with 1 where any is
not 0.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_CALLS = 200
DEVICE_LOST = -4
OUT_OF_DEVICE_MEMORY = -2
# What is lost with the device; all else runs out of memory.
LOST = ("Submit", "Wait", "Semaphore", "Fence", "QueryPoolResults")
DATA = ["--backend", "vulkan", "--data", "synthetic:300+50", "--no-pipeline-cache"]
VERBS = {
    "run": [*DATA, "--steps", "2"],
    "profile": ["profile", *DATA, "--steps", "2"],
    "peaks": ["peaks", "--backend", "vulkan", "--no-pipeline-cache"],
    "tune": ["tune", "--backend", "vulkan", "--batch", "8", "--no-pipeline-cache"],
    "sweep": ["sweep", *DATA, "--batch", "4,8", "--seconds", "0.05"],
    "two-devices": [*DATA, "--adapters", "0", "--logical-devices", "2", "--steps", "2"],
    "all-devices": [*DATA, "--adapter", "all", "--steps", "2"],
}
# Done, no adapter, or the device failed: docs/REFERENCE.md.
EXPECTED = {0, 4, 8}
LONGEST_S = 300


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--calls", default="1,2,3,5,10,20,50,100,200")
    parser.add_argument("--verbs", default=",".join(VERBS))
    parser.add_argument("--functions", default="")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args()


def layer(folder):
    """Builds the layer into `folder`."""
    library = folder / "libfault.so"
    source = ROOT / "tests/fixtures/fault_layer.rs"
    subprocess.run(
        ["rustc", "--edition", "2024", "-O", "--crate-type", "cdylib", "--crate-name", "fault", "-o", library, source],
        check=True,
    )
    description = {
        "name": "VK_LAYER_GPUBENCH_fault",
        "type": "GLOBAL",
        "library_path": str(library),
        "api_version": "1.3.0",
        "implementation_version": "1",
        "description": "lets calls fail",
    }
    (folder / "fault.json").write_text(json.dumps({"file_format_version": "1.2.0", "layer": description}))


def run(program, layers, verb, variables):
    """One run of a verb in a folder of its own: exit code, stderr, and what is wrong with the files it left."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {name: value for name, value in os.environ.items() if name != "RUST_BACKTRACE"} | {
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "VK_LAYER_PATH": str(layers),
            "VK_INSTANCE_LAYERS": "VK_LAYER_GPUBENCH_fault",
            "GPUBENCH_PLAN": "fused",
            "NODEVICE_SELECT": "1",
        }
        command = [program.resolve(), *VERBS[verb]]
        try:
            ended = subprocess.run(
                command, env=environment | variables, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S
            )
        except subprocess.TimeoutExpired:
            return None, "", ["hung"]
        return ended.returncode, ended.stderr, list(wrong_files(folder, ended.returncode))


def wrong_files(folder, code):
    for path in folder.rglob("*.json"):
        if not path.read_text():
            yield "empty file"
    statuses = []
    for path in (folder / "data/gpubench/results").glob("*.json"):
        try:
            result = json.loads(path.read_text())
        except ValueError:
            yield "unreadable result"
            continue
        statuses.append(result["status"])
        if result["status"] == "partial" or (result["status"] == "failed" and not result["reasons"]):
            yield "result that does not tell how its run ended"
    # Where one of several devices fails, the others go on.
    if statuses and (code == 0) != ("failed" not in statuses):
        yield "results that do not tell of the failure"


def wrong_with(code, errors, files):
    if code is not None and (code == 101 or "panicked" in errors or "defect of" in errors):
        yield "panic"
    if code is not None and code < 0:
        yield f"signal {-code}"
    elif code is not None and code not in EXPECTED:
        yield f"exit code {code}"
    yield from files


def counts_of(program, layers, verb):
    """How often each function is called while a verb does its work."""
    with tempfile.NamedTemporaryFile("r") as counts:
        code, errors, _ = run(program, layers, verb, {"GPUBENCH_FAULT_COUNTS": counts.name})
        if code != 0:
            sys.exit(f"{verb} fails without a fault: {errors}")
        return {name: int(count) for name, count in (line.split() for line in counts.read().splitlines())}


def main():
    args = arguments()
    chosen = range(1, MOST_CALLS + 1) if args.calls == "all" else [int(call) for call in args.calls.split(",")]
    functions = set(filter(None, args.functions.split(",")))
    found = collections.Counter()
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        layers = Path(name)
        layer(layers)
        for verb in args.verbs.split(","):
            counts = counts_of(args.program, layers, verb)
            faults = [
                (function, call, DEVICE_LOST if any(word in function for word in LOST) else OUT_OF_DEVICE_MEMORY)
                for function, count in sorted(counts.items())
                if not functions or function in functions
                for call in chosen
                if call <= min(count, MOST_CALLS)
            ]

            def tried(fault, verb=verb):
                return run(args.program, layers, verb, {"GPUBENCH_FAULT": ":".join(map(str, fault))})

            codes = collections.Counter()
            for fault, (code, errors, files) in zip(faults, pool.map(tried, faults)):
                codes[code] += 1
                for wrong in wrong_with(code, errors, files):
                    found[wrong] += 1
                    last = errors.strip().splitlines()[-1:] or [""]
                    print(f"{verb}, {':'.join(map(str, fault))}: {wrong}: {last[0]}", flush=True)
            shown = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items(), key=str))
            print(f"{verb}: {len(faults)} faults in {len(counts)} functions; exit codes {shown}", flush=True)
    print(f"wrong: {dict(found) or 'nothing'}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
