"""The task that gpubench pins down, for the frameworks beside it: data, initial weights, rates, and the worker's loop.

A worker trains with one framework. It is started once, makes ready, and answers requests, one JSON object a line, on stdin
with one JSON object a line on stdout, so that trainings of several frameworks can take turns without compiling anew.
"""

import argparse
import contextlib
import gzip
import json
import pathlib
import struct
import sys
import time

import numpy as np

BATCH = 128
DROPOUT = 0.2
MOMENTUM = 0.9
CLASSES = 10
# Name, shape, fan in, fan out. Layouts are PyTorch's; the 400 inputs of fc1 are channel, row, column.
WEIGHTS = [
    ("conv1", (32, 1, 4, 4), 16, 512),
    ("conv2", (16, 32, 3, 3), 288, 144),
    ("fc1", (128, 400), 400, 128),
    ("fc2", (64, 128), 128, 64),
    ("fc3", (10, 64), 64, 10),
]
NAMES = [f"{layer}.{part}" for layer, *_ in WEIGHTS for part in ("weight", "bias")]
FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def learning_rates(steps):
    """lr_t = 0.05 / (1 + 1e-5 t) for the steps 0 .. `steps`, float32."""
    return (0.05 / (1.0 + 1e-5 * np.arange(steps))).astype(np.float32)


def glorot(seed):
    """Initial parameters by name: weights Glorot uniform, biases 0."""
    random = np.random.default_rng(seed)
    parameters = {}
    for layer, shape, fan_in, fan_out in WEIGHTS:
        limit = (6.0 / (fan_in + fan_out)) ** 0.5
        parameters[f"{layer}.weight"] = random.uniform(-limit, limit, shape).astype(np.float32)
        parameters[f"{layer}.bias"] = np.zeros(shape[0], np.float32)
    return parameters


def read_idx(folder, name):
    """An IDX file of unsigned bytes, plain or with gzip, under any of the names that gpubench takes."""
    names = [stem + end for stem in (name, name.replace("-idx", ".idx")) for end in (".gz", "")]
    path = next(path for path in (pathlib.Path(folder) / name for name in names) if path.exists())
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    dimensions = data[3]
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    return np.frombuffer(bytearray(data), np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def write_idx(folder, name, values):
    """Writes unsigned bytes as an IDX file."""
    header = struct.pack(f">I{values.ndim}I", 0x800 | values.ndim, *values.shape)
    (pathlib.Path(folder) / name).write_bytes(header + values.tobytes())


class Data:
    """Images [N, 28, 28] and labels [N] of both splits, as bytes in host memory."""

    def __init__(self, folder):
        self.train_images, self.train_labels, self.test_images, self.test_labels = (
            read_idx(folder, name) for name in FILES
        )


def make_data(folder, train=60_000, test=10_000):
    """Writes made-up digits, a pattern for each class with noise over it: enough to see that a training learns."""
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    patterns = random.integers(0, 128, (CLASSES, 28, 28), np.uint8)
    for count, images, labels in ((train, *FILES[:2]), (test, *FILES[2:])):
        classes = np.arange(count) % CLASSES
        noise = random.integers(0, 128, (count, 28, 28), np.uint8)
        write_idx(folder, images, patterns[classes] + noise)
        write_idx(folder, labels, classes.astype(np.uint8))


def write_safetensors(path, tensors):
    """Writes float32 arrays by name as a safetensors file (8 bytes length, JSON header, the values)."""
    header, offset = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [offset, offset + values.nbytes]}
        offset += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(np.ascontiguousarray(values, "<f4").tobytes() for values in tensors.values())
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + body)


def read_safetensors(path):
    """The float32 arrays of a safetensors file by name."""
    data = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8 : 8 + length]), memoryview(data)[8 + length :]
    header.pop("__metadata__", None)
    tensor = lambda entry: np.frombuffer(body[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"])
    return {name: tensor(entry) for name, entry in header.items()}


def arguments():
    """The options that every worker takes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--variant", default="")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data", required=True)
    parser.add_argument("--start", required=True, help="safetensors file to start from where losses are compared")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", type=int, default=0, help="end after so many steps; 0 for no limit")
    return parser.parse_args()


def serve(about, answers):
    """Answers each request by the function of `answers` that bears its name.

    Whatever a framework prints goes to stderr; an error becomes the answer, so that one failure is one row.
    """
    stdout = sys.stdout
    say = lambda what: print(json.dumps(what), file=stdout, flush=True)
    say(about)
    for line in sys.stdin:
        request = json.loads(line)
        what = request.pop("what")
        with contextlib.redirect_stdout(sys.stderr):
            try:
                told = answers[what](**request)
            except Exception as error:  # The reason belongs in the table, whatever it is.
                told = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
        say(told)


def prepare(start, data):
    """Writes the file `start`: initial weights and the first ten batches of `data`, a folder that is made up where it is missing."""
    if not pathlib.Path(data).is_dir():
        make_data(data)
    digits = Data(data)
    images = digits.train_images[: 10 * BATCH, None].astype(np.float32) / np.float32(255)
    labels = digits.train_labels[: 10 * BATCH].astype(np.float32)
    weights = glorot(5)
    write_safetensors(f"{start}.weights", weights)
    write_safetensors(start, weights | {"images": images, "labels": labels})


if __name__ == "__main__":
    prepare(*sys.argv[1:])
