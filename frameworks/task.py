"""The task that gpubench pins down, for the frameworks beside it: data, weights, orders, rates, and the conversation.

    python task.py SCRIPT --work FOLDER [--variant NAME] [--device cpu|gpu] [--epochs N] [--steps N] [--gpus N]

SCRIPT trains with one framework: its function `trainer(options, work)` returns an object with

    about           {"version": ..., "backend": ..., "device": ...}
    warm_up()       everything that happens once, in the shapes of a training; returns how many steps it did
    losses(steps)   losses of the first steps from the weights of the folder, in the folder's order, without dropout
    prepare()       starts anew from the weights of the folder
    train()         trains; returns [seconds, mean loss] for each epoch
    errors()        test images that are misclassified

gpubench sends requests on stdin, one JSON object a line, and gets one line of JSON for each. The clock is gpubench's:
from a request to its answer. What a framework prints goes to stderr.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

if __name__ == "__main__":
    # The first entry is the folder of the scripts, which bear the names of the packages that they import.
    del sys.path[0]

import numpy as np

BATCH = 128
DROPOUT = 0.2
MOMENTUM = 0.9
RATE = 0.05
DECAY = 1e-5
LAYERS = ["conv1", "conv2", "fc1", "fc2", "fc3"]
NAMES = [f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias")]


def learning_rates(steps):
    """lr_t = 0.05 / (1 + 1e-5 t) for the steps 0 .. `steps`, float32."""
    return (RATE / (1.0 + DECAY * np.arange(steps))).astype(np.float32)


def read_safetensors(path):
    """The float32 arrays of a safetensors file by name."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), memoryview(data)[8 + length :]
    header.pop("__metadata__", None)
    tensor = lambda entry: np.frombuffer(body[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
    return {name: tensor(entry) for name, entry in header.items()}


class Work:
    """What gpubench wrote into the folder: digits as bytes in host memory, weights to start from, orders of epochs."""

    def __init__(self, folder, steps):
        folder = pathlib.Path(folder)
        read = lambda name, kind: np.fromfile(folder / name, kind)
        self.train_images = read("train-images.u8", np.uint8).reshape(-1, 28, 28)
        self.test_images = read("test-images.u8", np.uint8).reshape(-1, 28, 28)
        self.train_labels, self.test_labels = read("train-labels.u8", np.uint8), read("test-labels.u8", np.uint8)
        self.count = len(self.train_images)
        self.orders = read("orders.u32", np.uint32).reshape(-1, self.count)
        # PyTorch's layouts; the 400 inputs of fc1 are channel, row, column.
        self.weights = read_safetensors(folder / "weights.safetensors")
        all_steps = -(-self.count // BATCH)
        self.steps_per_epoch = min(steps or all_steps, all_steps)

    def order(self, epoch):
        """The images of an epoch, in the order in which they are trained on."""
        return self.orders[epoch][: self.steps_per_epoch * BATCH].astype(np.int64)

    def warm_up_order(self, steps):
        """A few whole batches and, where an epoch has one, its smaller last one."""
        last = self.count % BATCH if self.steps_per_epoch * BATCH >= self.count else 0
        order = self.order(0)
        whole = min(steps * BATCH, len(order) // BATCH * BATCH)
        return np.concatenate([order[:whole], order[len(order) - last :] if last else order[:0]])

    def floats(self, images, shape=(28, 28, 1)):
        """Bytes as float32 from 0 to 1, each image in `shape`."""
        return (images.astype(np.float32) / np.float32(255)).reshape(-1, *shape)


def batches(order):
    """The images of each step."""
    return [order[at : at + BATCH] for at in range(0, len(order), BATCH)]


def each_batch(work, steps, loss):
    """What `loss` gives for the images of each of the first steps."""
    return [float(loss(batch)) for batch in batches(work.order(0))[:steps]]


def to_keras(weights):
    """Weights by name in Keras's layouts: convolutions [height, width, in, out], dense [in, out].

    The 400 inputs of fc1 are row, column, channel: Keras flattens so, in whichever layout it computes.
    """
    own = {}
    for name, values in weights.items():
        if values.ndim == 4:
            values = values.transpose(2, 3, 1, 0)
        elif name == "fc1.weight":
            values = values.reshape(128, 16, 5, 5).transpose(2, 3, 1, 0).reshape(400, 128)
        elif values.ndim == 2:
            values = values.T
        own[name] = np.ascontiguousarray(values)
    return own


def forget(optimizer):
    """A Keras 3 optimizer at step 0, without momentum."""
    for variable in optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))


def timed_epochs(epochs, one):
    """[seconds, mean loss] of each epoch; `one` trains epoch `number` and returns its mean loss."""
    told = []
    for number in range(epochs):
        begun = time.perf_counter()
        loss = one(number)
        told.append([time.perf_counter() - begun, float(loss)])
    return told


def mean_loss(losses, order):
    """Mean loss over the images of an epoch from those of its steps."""
    sizes = np.array([len(batch) for batch in batches(order)], np.float64)
    return float(np.asarray(losses, np.float64) @ sizes / sizes.sum())


def cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def on_cpu():
    """How a script tells that it computes on the CPU."""
    return f"CPU, {cores()} cores"


def arguments(given):
    """The options that every script takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("script")
    parser.add_argument("--work", required=True, help="folder with digits, weights and orders")
    parser.add_argument("--variant", default="")
    parser.add_argument("--device", default="cpu", choices=["cpu", "gpu"])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=0, help="end after so many steps of an epoch; 0 for no limit")
    parser.add_argument("--gpus", type=int, default=1, help="how many train together")
    parser.add_argument("--rank", type=int, default=0, help="which of them this process is")
    parser.add_argument("--meeting", default="", help="the file through which they find each other")
    return parser.parse_args(given)


class Together:
    """A trainer whose work is shared by processes, of which it is the first; each request goes to all of them.

    The others run the same script with their ranks and answer as this process does.
    """

    def __init__(self, make, options):
        folder = tempfile.TemporaryDirectory(prefix="gpubench-meeting-")
        options.meeting = os.path.join(folder.name, "meeting")
        self.folder, self.others = folder, []
        command = [sys.executable, *sys.argv, "--meeting", options.meeting, "--rank"]
        for rank in range(1, options.gpus):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            self.others.append(subprocess.Popen([*command, str(rank)], **pipes))
        self.first = make()
        for other in self.others:
            self.answer(other)
        self.about = self.first.about
        self.epochs = None

    def answer(self, other):
        told = json.loads(other.stdout.readline() or '{"error": "one of the processes has ended"}')
        if "error" in told:
            raise RuntimeError(told["error"])

    def ask(self, what, request, own):
        for other in self.others:
            print(json.dumps({"what": what, **request}), file=other.stdin, flush=True)
        told = own()
        for other in self.others:
            self.answer(other)
        return told

    def warm_up(self):
        return self.ask("warm_up", {}, self.first.warm_up)

    def losses(self, steps):
        return self.ask("losses", {"steps": steps}, lambda: self.first.losses(steps))

    def prepare(self):
        return self.ask("prepare", {}, self.first.prepare)

    def train(self):
        if self.epochs is not None:
            self.first.epochs = self.epochs
            self.ask("epochs", {"epochs": self.epochs}, lambda: None)
        return self.ask("train", {}, self.first.train)

    def errors(self):
        return self.first.errors()


def own_stdout():
    """Takes stdout for the conversation; from here on what is printed, by libraries too, goes to stderr."""
    sys.stdout.flush()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def serve(make, answers):
    """Makes the trainer and answers each request; an error becomes the answer, so that one failure is one row."""

    def attempt(action):
        try:
            return action()
        except Exception as error:  # The reason belongs in the table, whatever it is.
            return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}

    def say(what):
        print(json.dumps(what), file=answers, flush=True)

    made = attempt(make)
    if isinstance(made, dict):
        say(made)
        return
    say(made.about)
    answer = {
        "warm_up": lambda request: {"steps": int(made.warm_up())},
        "losses": lambda request: {"losses": [float(loss) for loss in made.losses(request["steps"])]},
        "prepare": lambda request: {"prepared": made.prepare() is None},
        "train": lambda request: {"epochs": made.train()},
        "errors": lambda request: {"errors": int(made.errors())},
        "epochs": lambda request: {"epochs": setattr(made, "epochs", request["epochs"]) or []},
    }
    for line in sys.stdin:
        request = json.loads(line)
        say(attempt(lambda: answer[request["what"]](request)))


def main():
    answers = own_stdout()
    sys.modules["task"] = sys.modules[__name__]
    options = arguments(sys.argv[1:])
    spec = importlib.util.spec_from_file_location("script", options.script)
    script = importlib.util.module_from_spec(spec)

    def make():
        spec.loader.exec_module(script)
        return script.trainer(options, Work(options.work, options.steps))

    serve(make, answers)


if __name__ == "__main__":
    main()
