"""gpubench beside tinygrad and Burn, which train the same network on the same software adapter, in turns, in one table.

    python3 compare.py webgpu   milliseconds a step (make compare-webgpu)

Data go to stdout, everything else to stderr; a file with every sample lies under target/versus.
Exit codes: 0 done, whether targets are met or missed; 1 gpubench has no figures; 2 an option that cannot work; 4 no software
adapter; 5 a framework came by other losses than gpubench.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys

import figures
from lanes import ROOT, WORK, Framework, GpuBench, Missing, Program, python_with, talk
from session import Session

# Steps whose losses are compared.
COMPARED_STEPS = 3
TINYGRAD = (("tinygrad", "pydawn"), ("tinygrad==0.14.0", "dawn-python"))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["webgpu"])
    parser.add_argument("--rounds", type=int, help="how often each tool takes its turn")
    parser.add_argument("--repeat", type=int, help="steps of a framework in a turn")
    parser.add_argument("--steps", type=int, help="steps of gpubench in a turn")
    parser.add_argument("--adapter", help="gpubench's adapter")
    options = parser.parse_args()
    if any(
        value is not None and value < 1 for value in (options.rounds, options.repeat, options.steps)
    ):
        parser.error("--rounds, --repeat and --steps are 1 or more")
    return options


def stop(code, text):
    talk(text)
    sys.exit(code)


def gpubench_binary():
    binary = pathlib.Path(os.environ.get("GPUBENCH_BIN") or ROOT / "target" / "release" / "gpubench")
    if not binary.is_file():
        stop(2, f"there is no {binary}: build it with `cargo build --release`, or name a built one in GPUBENCH_BIN")
    return binary.resolve()


def adapters_of(binary, environment=None):
    """What `gpubench list --json` lists."""
    done = subprocess.run(
        [binary, "list", "--json"], capture_output=True, text=True, env=os.environ | (environment or {})
    )
    if done.returncode:
        stop(2, f"{binary} cannot list its adapters: {done.stderr.strip()}")
    return json.loads(done.stdout)


def data_folder():
    """MNIST's folder: GPUBENCH_DATA, or where `gpubench data fetch` puts it; else a folder for made-up digits."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "gpubench" / "mnist"
    for folder in (os.environ.get("GPUBENCH_DATA"), cache):
        if folder and pathlib.Path(folder).is_dir():
            return pathlib.Path(folder).resolve()
    talk("no MNIST: digits are made up")
    return WORK / "digits"


def write_start(data):
    """Writes the weights and digits to start from."""
    start = WORK / "start.safetensors"
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        python = python_with((), ())
        subprocess.run([python, pathlib.Path(__file__).parent / "task.py", start, data], check=True)
    except (Missing, subprocess.CalledProcessError) as error:
        stop(1, f"the weights to start from cannot be written: {error}")
    return start


def software_driver():
    """The file that names Mesa's software driver to Vulkan's loader; COMPARE_ICD names another driver's."""
    named = os.environ.get("COMPARE_ICD")
    folders = [pathlib.Path(folder) / "vulkan" / "icd.d" for folder in ("/usr/share", "/usr/local/share", "/etc")]
    files = (
        [pathlib.Path(named)]
        if named
        else [file for folder in folders for file in sorted(folder.glob("lvp_icd*.json"))]
    )
    if not files or not files[0].is_file():
        stop(4, "no software adapter: install mesa-vulkan-drivers, or name a driver's JSON file in COMPARE_ICD")
    return str(files[0])


def dawn_of(python):
    """The library that tinygrad's WebGPU backend needs: the package dawn-python carries it."""
    find = "import pydawn; print(pydawn.__path__[0])"
    folder = subprocess.run([python, "-c", find], capture_output=True, text=True, check=True).stdout.strip()
    return str(pathlib.Path(folder) / "lib" / f"libwebgpu_dawn_{platform.machine()}.so")


def compare_webgpu(options):
    """tinygrad and Burn on one software adapter, milliseconds a step."""
    binary, driver = gpubench_binary(), software_driver()
    # Vulkan's loader shows every tool this driver and no other.
    one = {"VK_DRIVER_FILES": driver, "VK_ICD_FILENAMES": driver}
    if not adapters_of(binary, one):
        stop(4, f"{driver} gives no adapter")
    rounds, own_steps, their_steps = options.rounds or 3, options.steps or 40, options.repeat or 3
    data = data_folder()
    start = write_start(data)
    own = GpuBench("gpubench", binary, options.adapter or "0", data, [], one)
    dawn = {"DEV": "WEBGPU", "WEBGPU_BACKEND": "WGPUBackendType_Vulkan", "WEBGPU_PATH": dawn_of}
    tinygrad = Framework(
        "tinygrad WebGPU", "with_tinygrad.py", TINYGRAD, ["--data", data, "--start", start], one | dawn
    )
    burn = Program("Burn wgpu, without fusion and autotune", False, [start], one)
    tuned = Program("Burn wgpu, with fusion and autotune", True, [start], one)
    lanes = [own, tinygrad, burn, tuned]
    session = Session("webgpu", lanes, own)
    session.begin(COMPARED_STEPS, f"{start}.weights")
    # The first steps of each of their trainings compile.
    turn = lambda lane, _: (
        lane.time_steps(own_steps, 3) if lane.is_gpubench else lane.time_steps(their_steps, skipped=3)
    )
    session.take_turns(rounds, turn)
    return session.finish([figures.step_table(lanes, own)], figures.ratio_targets([own, tinygrad, burn], own, 20))


def main():
    options = arguments()
    # Without a desktop, Mesa's layer that selects devices complains and selects nothing.
    os.environ.setdefault("NODEVICE_SELECT", "1")
    return compare_webgpu(options)


if __name__ == "__main__":
    sys.exit(main())
