"""One comparison: its lanes start, agree on the mathematics, and take turns; what they measured is kept as it comes."""

import datetime
import json
import os
import platform

import figures
from lanes import WORK, talk


class Session:
    """A comparison under way, and its file, which is written anew after each turn."""

    def __init__(self, mode, lanes, own):
        self.mode, self.lanes, self.own = mode, lanes, own
        self.started = datetime.datetime.now(datetime.timezone.utc)
        self.file = WORK / f"{mode}-{self.started:%Y%m%dT%H%M%SZ}.json"
        self.agreed, self.sentence = True, ""
        self.targets = []

    def begin(self, compared_steps, weights):
        """Starts every lane and compares the losses of its first steps."""
        for lane in self.lanes:
            talk(f"{lane.name}: starting")
            if not lane.is_gpubench:
                lane.attempt(lane.start)
            lane.attempt(lambda lane=lane: lane.compare_losses(compared_steps, weights))
        # The others are measured against the first way of gpubench that works here.
        self.own = next((lane for lane in self.lanes if lane.is_gpubench and lane.losses), self.own)
        self.agreed, self.sentence = figures.same_mathematics(self.lanes, self.own)
        talk(self.sentence)
        self.keep("begun")

    def take_turns(self, rounds, turn):
        """Lets every lane take its `turn`, given the lane and the number of the round, in each of so many rounds."""
        for number in range(1, rounds + 1):
            for lane in self.lanes:
                if lane.reason is None:
                    talk(f"round {number} of {rounds}: {lane.name}")
                lane.attempt(lambda lane=lane, number=number: turn(lane, number))
                self.keep(f"round {number} of {rounds}")

    def where(self):
        """What it runs on."""
        processor = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
        return f"{self.own.device or 'no adapter'}; {processor}; {self.started:%Y-%m-%d %H:%M} UTC"

    def keep(self, stage):
        """Writes everything known so far to the file."""
        told = {"schema": "gpubench.versus", "schema_version": 1, "mode": self.mode, "stage": stage}
        told |= {"started_utc": self.started.isoformat(), "where": self.where(), "same_mathematics": self.sentence}
        told |= {"targets": self.targets, "lanes": [lane.record() for lane in self.lanes]}
        draft = self.file.with_suffix(".tmp")
        draft.write_text(json.dumps(told, indent=2))
        draft.replace(self.file)

    def finish(self, parts, targets):
        """Prints everything and returns the exit code."""
        for lane in self.lanes:
            lane.close()
        self.targets = targets
        self.keep("complete")
        commands = [f"{lane.name} on {lane.device}: {lane.command_line()}" for lane in self.lanes if lane.command]
        parts = [f"Comparison {self.mode}, {self.where()}", *parts[:1], self.sentence, *parts[1:]]
        parts.append(
            figures.targets_text(targets) if targets else "Targets: n/a (a test of these scripts measures nothing)"
        )
        print("\n\n".join([*parts, "\n".join(["Commands", "", *commands])]))
        talk(f"every sample: {self.file}")
        if not self.agreed:
            return 5
        return 0 if figures.measured(self.own) else 1
