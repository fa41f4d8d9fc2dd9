#!/usr/bin/env python3
"""Prints the curves of runs as results/convergence.csv holds them, from result files of standard runs on MNIST.

    for seed in $(seq 1 24); do gpubench --adapter cpu --seed $seed --no-profile -o runs; done
    results/convergence.py runs/*.json > results/convergence.csv
"""

import json
import sys

print("seed,epoch,train_loss,test_error_pct")
results = [json.load(open(path)) for path in sys.argv[1:]]
for result in sorted(results, key=lambda result: result["settings"]["seed"]["value"]):
    if not result["standard"] or result["status"] != "complete":
        sys.exit(f"{result['started_utc']}: {result['status']}, {result['non_standard']}")
    for epoch in result["repeats"][0]["epochs"]:
        figures = round(epoch["train_loss"], 4), epoch["test_error_pct"]
        print(result["settings"]["seed"]["value"], epoch["epoch"], *figures, sep=",")
