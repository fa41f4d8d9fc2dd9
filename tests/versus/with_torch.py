"""A worker that trains gpubench's network with PyTorch: eager, compiled, or replayed from a CUDA graph of a whole epoch.

The rate enters as the factor of the loss's gradient and SGD runs at rate 1, so that v <- 0.9 v - lr_t g; w <- w + v holds
exactly, with the fused optimizer and with a rate that lies on the device.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import task


class Net(nn.Module):
    """Images [N, 1, 28, 28] to logits [N, 10]."""

    def __init__(self, dropout):
        super().__init__()
        self.dropout = dropout
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 4), nn.Conv2d(32, 16, 3)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 128), nn.Linear(128, 64), nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.dropout(x.flatten(1), self.dropout, self.training)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Trainer:
    """The state of a training on the device; tensors keep their places, so that a graph can be replayed."""

    def __init__(self, data, device, variant, dropout, shuffle, epochs, steps):
        self.data, self.device, self.shuffle, self.epochs = data, torch.device(device), shuffle, epochs
        self.graphed, compiled = "graph" in variant, "compile" in variant
        self.count = len(data.train_images)
        all_steps = -(-self.count // task.BATCH)
        self.steps = min(steps or all_steps, all_steps)
        self.net = Net(dropout).to(self.device)
        loss = lambda images, labels: F.cross_entropy(self.net(images), labels)
        self.loss = torch.compile(loss, dynamic=False) if compiled else loss
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1.0, momentum=task.MOMENTUM, fused=True)
        self.images = torch.empty(self.count, 1, 28, 28, device=self.device)
        self.labels = torch.empty(self.count, dtype=torch.int64, device=self.device)
        self.ordered_images, self.ordered_labels = torch.empty_like(self.images), torch.empty_like(self.labels)
        self.rates = (
            torch.from_numpy(task.learning_rates(epochs * all_steps)).to(self.device).reshape(epochs, all_steps)
        )
        self.epoch_rates = torch.empty(all_steps, device=self.device)
        self.losses = torch.zeros(self.steps, device=self.device)
        self.sizes = torch.tensor(
            [min(task.BATCH, self.count - task.BATCH * i) for i in range(self.steps)], device=self.device
        )
        self.graph = None

    def reset(self, parameters):
        """Starts anew from `parameters`, with no momentum."""
        with torch.no_grad():
            for name, values in self.net.named_parameters():
                values.copy_(torch.from_numpy(np.array(parameters[name])))
            for state in self.optimizer.state.values():
                state["momentum_buffer"].zero_()

    def step(self, index):
        """Step `index` of the epoch whose order and rates lie ready."""
        batch = slice(index * task.BATCH, min((index + 1) * task.BATCH, self.count))
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.ordered_images[batch], self.ordered_labels[batch])
        loss.backward(gradient=self.epoch_rates[index])
        self.optimizer.step()
        self.losses[index].copy_(loss.detach())

    def upload(self):
        """The training images to the device, as bytes, and to float32 there."""
        images = torch.from_numpy(self.data.train_images).to(self.device)
        torch.div(images.unsqueeze(1), 255.0, out=self.images)
        self.labels.copy_(torch.from_numpy(self.data.train_labels).to(self.device))

    def epoch(self, number):
        """One pass over the images in an order of its own; returns the mean loss, once it is on the host."""
        if self.shuffle:
            order = torch.randperm(self.count, device=self.device)
            torch.index_select(self.images, 0, order, out=self.ordered_images)
            torch.index_select(self.labels, 0, order, out=self.ordered_labels)
        else:
            self.ordered_images.copy_(self.images)
            self.ordered_labels.copy_(self.labels)
        self.epoch_rates.copy_(self.rates[number])
        if self.graph:
            self.graph.replay()
        else:
            for index in range(self.steps):
                self.step(index)
        return ((self.losses * self.sizes).sum() / self.sizes.sum()).item()

    def warm_up(self):
        """Compiles, lets libraries choose, and captures: everything that happens once."""
        self.net.train()
        self.upload()
        self.reset(task.glorot(0))
        if self.graphed:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self.epoch(0)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                for index in range(self.steps):
                    self.step(index)
            self.graph = graph
        self.epoch(0)
        self.synchronize()

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def train(self, seed):
        """One training by gpubench's clock: from the data in host memory to the last epoch's results on the host."""
        torch.manual_seed(seed)
        self.reset(task.glorot(seed))
        self.net.train()
        self.synchronize()
        begun = time.perf_counter()
        self.upload()
        losses = [self.epoch(number) for number in range(self.epochs)]
        self.synchronize()
        return {"train_s": time.perf_counter() - begun, "losses": losses, "error_pct": self.error_pct()}

    def error_pct(self):
        """Share of the test images that are misclassified."""
        self.net.eval()
        with torch.no_grad():
            images = torch.from_numpy(self.data.test_images).to(self.device).unsqueeze(1) / 255.0
            labels = torch.from_numpy(self.data.test_labels).to(self.device)
            right = sum(
                (self.net(part).argmax(1) == truth).sum().item()
                for part, truth in zip(images.split(1000), labels.split(1000))
            )
        return 100.0 * (len(labels) - right) / len(labels)


def main():
    options = task.arguments()
    cuda = options.device == "cuda"
    if cuda and not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no CUDA device")
    torch.backends.cudnn.benchmark = True
    # Everything is float32; TF32 is other arithmetic, and a variant of its own.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "tf32" in options.variant
    data = task.Data(options.data)
    make = lambda **more: Trainer(data, options.device, options.variant, **more)
    trainer = make(dropout=task.DROPOUT, shuffle=True, epochs=options.epochs, steps=options.steps)

    def warm_up():
        return {"warm_up_s": task.timed(trainer.warm_up)[1]}

    def losses(steps):
        plain = make(dropout=0.0, shuffle=False, epochs=1, steps=steps)
        plain.warm_up()
        plain.reset(task.read_safetensors(options.start))
        plain.epoch(0)
        return {"losses": plain.losses.tolist()}

    about = {
        "version": torch.__version__,
        "device": torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads",
    }
    task.serve(about, {"warm_up": warm_up, "losses": losses, "train": trainer.train})


if __name__ == "__main__":
    main()
