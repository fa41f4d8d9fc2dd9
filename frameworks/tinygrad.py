"""tinygrad, by the option's variant: webgpu, on an adapter of Vulkan, or native, through CUDA or on the CPU.

A step is one captured call, for batches of 128 and for the smaller last one. Its rate and its images are inputs, and it
adds its loss to a sum on the device, which is read once an epoch.
"""

import importlib.metadata
import os
import pathlib
import platform
import shutil

import numpy as np

import task

# Images of a step in which the test images are classified.
TESTED = 500


def choose_backend(options):
    """Names the backend, and for WebGPU the library of the package dawn-python, before tinygrad is imported."""
    if options.variant == "webgpu":
        import pydawn

        folder = pathlib.Path(pydawn.__path__[0]) / "lib"
        machine = {"AMD64": "x86_64"}.get(platform.machine(), platform.machine())
        name = {"Darwin": f"libwebgpu_dawn_{machine}.dylib", "Windows": "libwebgpu_dawn.dll"}
        library = folder / name.get(platform.system(), f"libwebgpu_dawn_{machine}.so")
        os.environ.update(DEV="WEBGPU", WEBGPU_PATH=str(library))
        if platform.system() == "Linux":
            os.environ["WEBGPU_BACKEND"] = "WGPUBackendType_Vulkan"
    else:
        if options.device == "cpu" and not shutil.which("clang"):
            raise RuntimeError("tinygrad compiles for the CPU with clang: install it (Debian: clang)")
        os.environ["DEV"] = "CUDA" if options.device == "gpu" else "CPU"


class Trainer:
    """The state of a training; tensors keep their places, so that a captured step can be replayed."""

    def __init__(self, work, dropout, epochs):
        from tinygrad import Tensor, TinyJit
        from tinygrad.nn.optim import SGD

        self.work, self.dropout, self.epochs = work, dropout, epochs
        self.parameters = {name: Tensor(np.array(work.weights[name])).contiguous().realize() for name in task.NAMES}
        # The classic form is gpubench's: v <- 0.9 v - lr_t g.
        self.optimizer = SGD(list(self.parameters.values()), lr=task.RATE, momentum=task.MOMENTUM, classic=True)
        self.loss_sum = Tensor(np.zeros(1, np.float32)).contiguous().realize()
        self.step = {size: TinyJit(self.plain_step) for size in {task.BATCH, work.count % task.BATCH or task.BATCH}}
        self.wrong = TinyJit(self.plain_wrong)
        self.rates = task.learning_rates(len(work.orders) * work.steps_per_epoch).reshape(-1, work.steps_per_epoch)

    def logits(self, images, dropout):
        """Images [N, 1, 28, 28] to logits [N, 10]."""
        weights = lambda layer: (self.parameters[f"{layer}.weight"], self.parameters[f"{layer}.bias"])
        x = images.conv2d(*weights("conv1")).relu().max_pool2d()
        x = x.conv2d(*weights("conv2")).relu().max_pool2d()
        x = x.flatten(1).dropout(dropout)
        for layer in ("fc1", "fc2", "fc3"):
            weight, bias = weights(layer)
            x = x.linear(weight.transpose(), bias)
            x = x if layer == "fc3" else x.relu()
        return x

    def plain_step(self, images, labels, rate):
        from tinygrad import Context

        with Context(TRAINING=1):
            self.optimizer.lr.assign(rate.reshape(self.optimizer.lr.shape))
            self.optimizer.zero_grad()
            loss = self.logits(images, self.dropout).sparse_categorical_crossentropy(labels).backward()
            total = self.loss_sum.assign(self.loss_sum + loss.detach().reshape(1) * images.shape[0])
            return total.realize(*self.optimizer.schedule_step())

    def plain_wrong(self, images, labels):
        from tinygrad import Context

        with Context(TRAINING=0):
            return (self.logits(images, 0.0).argmax(1) != labels).sum().realize()

    def batch(self, images, labels):
        """Images and labels on the device."""
        from tinygrad import Tensor

        return Tensor(self.work.floats(images, (1, 28, 28))).realize(), Tensor(labels.astype(np.int32)).realize()

    def one(self, batch, rate):
        """A training step."""
        from tinygrad import Tensor, dtypes

        rate = Tensor([float(rate)], dtype=dtypes.float32).realize()
        images = self.batch(self.work.train_images[batch], self.work.train_labels[batch])
        return self.step[len(batch)](*images, rate)

    def taken_sum(self):
        """The sum of the losses, each times its images, which is 0 afterwards."""
        told = float(self.loss_sum.numpy()[0])
        self.set(self.loss_sum, np.zeros(1, np.float32))
        return told

    def set(self, tensor, values):
        from tinygrad import Tensor

        tensor.assign(Tensor(np.ascontiguousarray(values)).to(tensor.device).cast(tensor.dtype)).realize()

    def warm_up(self):
        """Three steps of each size: one to compile, one to capture, one to replay."""
        sizes = {len(batch): batch for batch in task.batches(self.work.order(0))}
        for batch in sizes.values():
            for _ in range(3):
                self.one(batch, self.rates[0][0])
        self.taken_sum()
        return 3 * len(sizes)

    def losses(self, steps):
        plain = Trainer(self.work, 0.0, 1)

        def loss(index, batch):
            plain.one(batch, self.rates[0][index])
            return plain.taken_sum() / len(batch)

        return [loss(index, batch) for index, batch in enumerate(task.batches(self.work.order(0))[:steps])]

    def prepare(self):
        for name, values in self.work.weights.items():
            self.set(self.parameters[name], values)
        for velocity in self.optimizer.b:
            self.set(velocity, np.zeros(velocity.shape, np.float32))
        self.taken_sum()

    def epoch(self, number):
        """One pass over the images; returns the mean loss, once it is on the host."""
        order = self.work.order(number)
        for index, batch in enumerate(task.batches(order)):
            self.one(batch, self.rates[number][index])
        return self.taken_sum() / len(order)

    def train(self):
        return task.timed_epochs(self.epochs, self.epoch)

    def errors(self):
        images, labels = self.work.test_images, self.work.test_labels
        parts = [slice(at, at + TESTED) for at in range(0, len(labels) // TESTED * TESTED, TESTED)]
        told = sum(int(self.wrong(*self.batch(images[part], labels[part])).item()) for part in parts)
        rest = slice(len(parts) * TESTED, len(labels))
        if labels[rest].size:
            told += int(self.plain_wrong(*self.batch(images[rest], labels[rest])).item())
        return told


def adapter(device):
    """The name of the adapter that tinygrad's WebGPU backend takes; the backend's own name elsewhere."""
    if device != "WEBGPU":
        return device
    from tinygrad.runtime import ops_webgpu
    from tinygrad.runtime.autogen import webgpu

    # As WebGpuDevice asks for it.
    backend = ops_webgpu.backend_types.get(os.environ.get("WEBGPU_BACKEND", ""), 0)
    high = webgpu.WGPUPowerPreference_HighPerformance
    asked = webgpu.WGPURequestAdapterOptions(powerPreference=high, backendType=backend)
    found = ops_webgpu.InstanceRequestAdapter(ops_webgpu.instance, asked)
    webgpu.wgpuAdapterGetInfo(found, info := webgpu.WGPUAdapterInfo())
    return ops_webgpu.from_wgpu_str(info.device)


def trainer(options, work):
    choose_backend(options)
    from tinygrad import Device

    made = Trainer(work, task.DROPOUT, options.epochs)
    version, dawn = importlib.metadata.version("tinygrad"), ""
    if options.variant == "webgpu":
        dawn = f"dawn {importlib.metadata.version('dawn-python')}, "
    made.about = {
        "version": version,
        "backend": f"{dawn}{Device.DEFAULT}",
        "device": adapter(Device.DEFAULT),
    }
    return made
