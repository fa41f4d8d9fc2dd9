"""A worker that times gpubench's training step in tinygrad, on the backend that the variable DEV names (WEBGPU, CPU).

It trains on the digits of its start file, batch by batch, and reads each loss back, so that a step ends when the device is done.
"""

import importlib.metadata
import os
import time

from tinygrad import Context, Device, Tensor, TinyJit, dtypes
from tinygrad.nn.optim import SGD

import task


class Trainer:
    """The state of a training."""

    def __init__(self, start, dropout):
        self.parameters = {name: Tensor(start[name].copy()).contiguous().realize() for name in task.NAMES}
        # The classic form is gpubench's: v <- 0.9 v - lr_t g.
        self.optimizer = SGD(list(self.parameters.values()), lr=0.05, momentum=task.MOMENTUM, classic=True)
        self.dropout = dropout
        self.step = TinyJit(self.plain_step)

    def logits(self, images):
        """Images [N, 1, 28, 28] to logits [N, 10]."""
        weights = lambda layer: (self.parameters[f"{layer}.weight"], self.parameters[f"{layer}.bias"])
        x = images.conv2d(*weights("conv1")).relu().max_pool2d()
        x = x.conv2d(*weights("conv2")).relu().max_pool2d()
        x = x.flatten(1).dropout(self.dropout)
        for layer in ("fc1", "fc2", "fc3"):
            weight, bias = weights(layer)
            x = x.linear(weight.transpose(), bias)
            x = x if layer == "fc3" else x.relu()
        return x

    def plain_step(self, images, labels, rate):
        with Context(TRAINING=1):
            self.optimizer.lr.assign(rate.reshape(self.optimizer.lr.shape))
            self.optimizer.zero_grad()
            loss = self.logits(images).sparse_categorical_crossentropy(labels).backward()
            return loss.realize(*self.optimizer.schedule_step())


def adapter():
    """The name of the adapter that tinygrad's WebGPU backend takes; the backend's own name elsewhere."""
    if Device.DEFAULT != "WEBGPU":
        return Device.DEFAULT
    from tinygrad.runtime import ops_webgpu
    from tinygrad.runtime.autogen import webgpu

    # As WebGpuDevice asks for it.
    backend = ops_webgpu.backend_types.get(os.environ.get("WEBGPU_BACKEND", ""), 0)
    high = webgpu.WGPUPowerPreference_HighPerformance
    asked = webgpu.WGPURequestAdapterOptions(powerPreference=high, backendType=backend)
    found = ops_webgpu.InstanceRequestAdapter(ops_webgpu.instance, asked)
    webgpu.wgpuAdapterGetInfo(found, info := webgpu.WGPUAdapterInfo())
    return ops_webgpu.from_wgpu_str(info.device)


def main():
    options = task.arguments()
    start = task.read_safetensors(options.start)
    images, labels = start["images"], start["labels"]
    batches = [
        (
            Tensor(images[at : at + task.BATCH].copy()).realize(),
            Tensor(labels[at : at + task.BATCH].astype("int32")).realize(),
        )
        for at in range(0, len(labels), task.BATCH)
    ]

    def run(steps, dropout):
        trainer = Trainer(start, dropout)
        losses, durations_s = [], []
        rates = task.learning_rates(steps)
        for index in range(steps):
            rate = Tensor([float(rates[index])], dtype=dtypes.float32).realize()
            begun = time.perf_counter()
            losses.append(trainer.step(*batches[index % len(batches)], rate).item())
            durations_s.append(time.perf_counter() - begun)
        return {"losses": losses, "durations_s": durations_s}

    about = {"version": importlib.metadata.version("tinygrad"), "device": adapter()}
    task.serve(about, {"losses": lambda steps: run(steps, 0.0), "time": lambda steps: run(steps, task.DROPOUT)})


if __name__ == "__main__":
    main()
