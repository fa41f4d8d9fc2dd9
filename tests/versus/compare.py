"""gpubench beside other frameworks that train the same network on the same machine, in turns, in one table.

    python3 compare.py gpu      PyTorch and JAX on the GPU (make bench-gpu); BENCH_CPU=1: the same on the CPU, a few steps
    python3 compare.py cpu      PyTorch and JAX on the CPU (make bench-cpu)
    python3 compare.py webgpu   tinygrad and Burn on the same software adapter, milliseconds a step (make compare-webgpu)

Data go to stdout, everything else to stderr; a file with every sample lies under target/versus. README.md says what is compared.
Exit codes: 0 done, whether targets are met or missed; 1 gpubench has no figures; 2 an option that cannot work; 3 no data;
4 no GPU, or no software adapter; 5 a framework came by other losses than gpubench.
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

# Steps whose losses are compared; gpubench tells the loss of each step where there are at most 32.
COMPARED_STEPS = 10
# Losses of float32 arithmetic in another order differ by less than 1e-6 over so few steps; TF32's carry 10 bits.
TF32_TOLERANCE = 2e-2
TORCH, JAX, TINYGRAD = (
    (("torch",), ("torch",)),
    (("jax",), ("jax",)),
    (("tinygrad", "pydawn"), ("tinygrad==0.14.0", "dawn-python")),
)
JAX_GPU = (("jax",), ("jax[cuda13]",))
TRAIN_IMAGES = 60_000


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["gpu", "cpu", "webgpu"])
    parser.add_argument("--rounds", type=int, help="how often each tool takes its turn")
    parser.add_argument("--repeat", type=int, help="trainings in a turn")
    parser.add_argument("--epochs", type=int, help="passes over the data")
    parser.add_argument("--steps", type=int, help="end each training after so many steps of its first epoch")
    parser.add_argument("--adapter", help="gpubench's adapter")
    options = parser.parse_args()
    if any(
        value is not None and value < 1 for value in (options.rounds, options.repeat, options.epochs, options.steps)
    ):
        parser.error("--rounds, --repeat, --epochs and --steps are 1 or more")
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


def data_folder(made_up):
    """MNIST's folder: GPUBENCH_DATA, or where `gpubench data fetch` puts it; where digits may be made up, a folder for those."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "gpubench" / "mnist"
    for folder in (os.environ.get("GPUBENCH_DATA"), cache):
        if folder and pathlib.Path(folder).is_dir():
            return pathlib.Path(folder).resolve()
    if not made_up:
        stop(3, "no MNIST: name its folder in GPUBENCH_DATA, or fetch it with `gpubench data fetch`")
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
        stop(3, f"the weights to start from cannot be written: {error}")
    return start


def torch_and_jax(device, data, start, options, with_graphs):
    """The lanes of PyTorch and JAX on `device`, `cpu` or `cuda`."""
    common = ["--device", device, "--data", data, "--start", start, "--epochs", options.epochs]
    common += ["--steps", options.steps] if options.steps else []
    torch = lambda name, variant, **more: Framework(
        name, "with_torch.py", TORCH, [*common, "--variant", variant], **more
    )
    jax_environment = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    jax = lambda name, variant: Framework(
        name, "with_jax.py", JAX_GPU if device == "cuda" else JAX, [*common, "--variant", variant], jax_environment
    )
    lanes = [torch("PyTorch eager", "eager"), torch("PyTorch compiled", "compile")]
    if with_graphs:
        lanes += [
            torch("PyTorch CUDA graph", "graph"),
            torch("PyTorch compiled, CUDA graph", "compile+graph"),
            torch("PyTorch compiled, CUDA graph, TF32", "compile+graph+tf32", tolerance=TF32_TOLERANCE),
        ]
    lanes.append(jax("JAX scan", "window"))
    if with_graphs:
        lanes.append(jax("JAX scan, pooled by reshape", "reshape"))
    return lanes


def limits(options):
    """The options of gpubench for one training."""
    return ["--epochs", options.epochs, *(["--steps", options.steps] if options.steps else [])]


def steps_of(options):
    """Steps of one training."""
    epoch = -(-TRAIN_IMAGES // figures.BATCH)
    return min(options.steps or epoch * options.epochs, epoch * options.epochs)


def compare_gpu(options):
    """PyTorch and JAX on the GPU; or, as a test of this script, on the CPU."""
    on_cpu = os.environ.get("BENCH_CPU") == "1"
    binary = gpubench_binary()
    adapters = adapters_of(binary)
    found = [adapter for adapter in adapters if on_cpu or not adapter["software"]]
    if not found:
        listed = ", ".join(adapter["name"] for adapter in adapters) or "none"
        stop(4, f"no GPU here (adapters: {listed}); BENCH_CPU=1 runs the same comparison on the CPU with few steps")
    if on_cpu:
        options.epochs, options.steps = options.epochs or 1, options.steps or 20
    options.epochs, options.rounds, options.repeat = (
        options.epochs or 10,
        options.rounds or (2 if on_cpu else 3),
        options.repeat or (1 if on_cpu else 3),
    )
    if options.steps:
        # Frameworks stop within their first epoch.
        options.epochs = 1
    data = data_folder(made_up=on_cpu)
    start = write_start(data)
    # The plan made for GPUs, so that a test on the CPU shows the commands that a GPU would be handed.
    plan = ["--plan", "fused"] if on_cpu and not os.environ.get("GPUBENCH_PLAN") else []
    own = GpuBench("gpubench", binary, options.adapter or str(found[0]["index"]), data, limits(options))
    own.base += plan
    lanes = [own, *torch_and_jax("cpu" if on_cpu else "cuda", data, start, options, with_graphs=not on_cpu)]
    session = Session("gpu", lanes, own)
    session.begin(COMPARED_STEPS, f"{start}.weights", warm_up=True)
    session.take_turns(options.rounds, lambda lane, number: lane.train(number, options.repeat))
    own.attempt(own.profile)
    standard = bool(own.result) and own.result["standard"]
    parts = [figures.training_table(lanes, own, steps_of(options))]
    if own.result:
        parts.append(figures.stream(own.result, own.short))
    targets = [] if on_cpu else figures.gpu_targets(lanes, own, standard)
    return session.finish(parts, targets)


def compare_cpu(options):
    """PyTorch and JAX on the CPU, beside gpubench's lane for the CPU and its software adapter."""
    binary = gpubench_binary()
    options.epochs, options.rounds, options.repeat = options.epochs or 1, options.rounds or 3, options.repeat or 1
    if options.steps:
        options.epochs = 1
    data = data_folder(made_up=False)
    start = write_start(data)
    software = next((one for one in adapters_of(binary) if one["software"] and one["backend"] != "cpu"), None)
    # A gpubench without a lane for the CPU says that there is no such adapter.
    own = GpuBench("gpubench CPU lane", binary, "cpu", data, limits(options))
    detour = GpuBench("gpubench software adapter", binary, str((software or {}).get("index")), data, limits(options))
    if software is None:
        detour.reason = "there is no software adapter"
    lanes = [own, detour, *torch_and_jax("cpu", data, start, options, with_graphs=False)]
    session = Session("cpu", lanes, own)
    session.begin(COMPARED_STEPS, f"{start}.weights", warm_up=True)
    session.take_turns(options.rounds, lambda lane, number: lane.train(number, options.repeat))
    parts = [figures.training_table(lanes, session.own, steps_of(options))]
    return session.finish(parts, figures.ratio_targets(lanes, own, 3))


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
    data = data_folder(made_up=True)
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
    session.begin(3, f"{start}.weights", warm_up=False)
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
    modes = {"gpu": compare_gpu, "cpu": compare_cpu, "webgpu": compare_webgpu}
    return modes[options.mode](options)


if __name__ == "__main__":
    sys.exit(main())
