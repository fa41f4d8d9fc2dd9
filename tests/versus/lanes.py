"""Lanes of a comparison: gpubench, and workers that train the same network with something else."""

import functools
import json
import os
import pathlib
import queue
import subprocess
import sys
import threading
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORK = ROOT / "target" / "versus"
# Seconds: a framework may compile for minutes on a small machine.
ANSWER_S = 1800


class Missing(Exception):
    """Why a lane has no figures."""


def talk(text):
    """What is not data goes to stderr."""
    print(f"compare: {text}", file=sys.stderr, flush=True)


def last_line(text):
    """The last line that says anything, shortened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


@functools.cache
def python_with(modules, packages):
    """A Python that imports `modules`: this one, or that of a virtual environment into which `packages` are installed."""
    own = WORK / "venv"
    of_venv = own / ("Scripts" if os.name == "nt" else "bin") / "python"
    imports = [f"import {module}" for module in ("numpy", *modules)]

    def works(python):
        return subprocess.run([python, "-c", "\n".join(imports)], capture_output=True).returncode == 0

    for python in (sys.executable, of_venv):
        if pathlib.Path(python).exists() and works(python):
            return python
    talk(f"installing {', '.join(packages)} into {own} (may be gigabytes)")
    try:
        if not of_venv.exists():
            venv.create(own, with_pip=True)
    except (subprocess.CalledProcessError, OSError) as error:
        raise Missing(f"{modules[0]} is not installed, and no virtual environment can be made: {error}") from error
    install = [of_venv, "-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "30", "numpy", *packages]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode or not works(of_venv):
        raise Missing(f"{modules[0]} is not installed, and pip cannot install it: {last_line(done.stderr)}")
    return of_venv


class Worker:
    """A process that answers requests, one line of JSON each."""

    def __init__(self, command, environment, log):
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=os.environ | environment,
            )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.about = self.answer()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def answer(self):
        try:
            line = self.lines.get(timeout=ANSWER_S)
        except queue.Empty as error:
            raise Missing(f"no answer within {ANSWER_S} s") from error
        if line is None:
            self.process.wait()
            raise Missing(last_line(self.log.read_text(errors="replace")))
        told = json.loads(line)
        if "error" in told:
            raise Missing(told["error"])
        return told

    def ask(self, what, **request):
        try:
            print(json.dumps({"what": what, **request}), file=self.process.stdin, flush=True)
        except OSError as error:
            raise Missing(last_line(self.log.read_text(errors="replace"))) from error
        return self.answer()

    def close(self):
        """Ends the process: at the end of its requests, or at once where it does not heed that."""
        try:
            self.process.stdin.close()
            self.process.wait(timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Lane:
    """One row of the table: what it is, what it measured, or the reason why it has nothing."""

    def __init__(self, name, is_gpubench=False, tolerance=1e-4):
        self.name, self.is_gpubench, self.tolerance = name, is_gpubench, tolerance
        self.version = self.device = ""
        self.command = []
        self.reason = None
        self.losses, self.step_durations_s = [], []

    def attempt(self, action):
        """Runs `action`, unless the lane failed before; a failure becomes the lane's reason."""
        if self.reason is None:
            try:
                action()
            except Missing as missing:
                self.reason = str(missing)
                # A worker that went on would take time from the others.
                self.close()
                talk(f"{self.name}: n/a ({self.reason})")

    def record(self):
        """What is kept of it in the file of the comparison."""
        kept = ("name", "version", "device", "reason", "losses", "step_durations_s")
        return {name: getattr(self, name) for name in kept} | {"command": self.command_line()}

    def command_line(self):
        """The last command, as somebody in the repository's root would type it."""
        return " ".join(map(str, self.command)).replace(f"{ROOT}{os.sep}", "")


class GpuBench(Lane):
    """gpubench itself: a process for each round, which compiles and checks before it times."""

    def __init__(self, name, binary, adapter, data, limits, environment=None):
        super().__init__(name, is_gpubench=True)
        self.base = [binary, "run", "--adapter", adapter] + ["--data", data, "--json", "--output", WORK / "results"]
        self.limits, self.environment = limits, environment or {}

    def run(self, *more):
        """One run; its result."""
        command = [*map(str, self.base), *map(str, more)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | self.environment)
        if done.returncode:
            raise Missing(f"exit code {done.returncode}: {last_line(done.stderr)}")
        result = json.loads(done.stdout)
        self.version = f"{result['environment']['tool']['version']} {result['plan']['name']}"
        self.device = result["environment"]["adapter"]["name"]
        return result

    def compare_losses(self, steps, weights):
        short = self.run("--init", weights, "--no-shuffle", "--dropout", 0, "--epochs", 1, "--steps", steps)
        self.losses = short["repeats"][0]["epochs"][0]["loss_curve"]

    def time_steps(self, steps, repeat):
        more = ["--epochs", 1, "--steps", steps, "--repeat", repeat]
        self.command = [*self.base, *more]
        result = self.run(*more)
        # Several submissions are under way at once, so that only the time of all steps together means something.
        for of_repeat in result["repeats"]:
            made = sum(sample[2] for sample in of_repeat["samples"])
            self.step_durations_s.append(of_repeat["epochs"][0]["train_s"] / made)

    def close(self):
        """Nothing runs between rounds."""


class Framework(Lane):
    """A worker: `script` run by a Python that has what it needs, or a program."""

    def __init__(self, name, script, needs, options, environment=None, tolerance=1e-4):
        super().__init__(name, tolerance=tolerance)
        self.script, self.needs, self.options, self.environment = script, needs, options, environment or {}
        self.worker = None

    def start(self):
        modules, packages = self.needs
        python = python_with(modules, packages)
        self.launch([python, HERE / self.script, *self.options], self.environment_of(python))

    def environment_of(self, python):
        """Variables for the worker, those that depend on its Python resolved."""
        return {name: value(python) if callable(value) else value for name, value in self.environment.items()}

    def launch(self, command, environment):
        self.command = command
        slug = "".join(letter if letter.isalnum() else "-" for letter in self.name)
        self.worker = Worker([*map(str, command)], environment, WORK / "logs" / f"{slug}.log")
        self.version, self.device = self.worker.about["version"], self.worker.about["device"]

    def compare_losses(self, steps, _weights):
        self.losses = self.worker.ask("losses", steps=steps)["losses"]

    def time_steps(self, steps, skipped):
        durations_s = self.worker.ask("time", steps=steps + skipped)["durations_s"]
        self.step_durations_s += durations_s[skipped:]

    def close(self):
        if self.worker:
            self.worker.close()
            self.worker = None


class Program(Framework):
    """A worker that cargo builds: the crate in `burn`, without or with its feature `tuned`."""

    def __init__(self, name, tuned, options, environment):
        super().__init__(name, None, ([], []), options, environment)
        self.tuned = tuned

    def start(self):
        folder = WORK / "burn"
        command = [
            "cargo",
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
            HERE / "burn" / "Cargo.toml",
        ]
        command += ["--target-dir", folder] + (["--features", "tuned"] if self.tuned else [])
        talk(f"building {self.name} (many minutes the first time)")
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise Missing("there is no cargo to build it") from error
        if done.returncode:
            raise Missing(f"it does not build: {last_line(done.stderr)}")
        # Both builds have one file name; a copy keeps this one.
        binary = folder / f"versus-burn-{'tuned' if self.tuned else 'plain'}"
        built = folder / "release" / "versus-burn"
        binary.write_bytes(built.read_bytes())
        binary.chmod(0o755)
        self.launch([binary, *self.options], self.environment_of(None))
