"""PyTorch, by the option's variant: eager, compile, or graph, which replays a CUDA graph of a whole epoch.

Several GPUs train with DistributedDataParallel, a process for each, which takes its part of every batch.

The rate enters as the factor of the loss's gradient and SGD runs at rate 1, so that v <- 0.9 v - lr_t g; w <- w + v
holds exactly, with the fused optimizer and with a rate that lies on the device.
"""

import pathlib

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

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

    def __init__(self, work, device, variant, dropout, epochs, rank=0, gpus=1):
        self.work, self.device, self.epochs, self.dropout = work, torch.device(device), epochs, dropout
        self.rank, self.gpus = rank, gpus
        self.variant, self.count, self.steps = variant, work.count, work.steps_per_epoch
        self.graphed, compiled = "graph" in variant, "compile" in variant
        self.net = Net(dropout).to(self.device)
        net = self.net
        if gpus > 1:
            net = DistributedDataParallel(net, device_ids=[self.device] if self.device.type == "cuda" else None)
        loss = lambda images, labels: F.cross_entropy(net(images), labels)
        self.loss = torch.compile(loss, dynamic=False) if compiled else loss
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1.0, momentum=task.MOMENTUM, fused=True)
        self.images = torch.empty(self.count, 1, 28, 28, device=self.device)
        self.labels = torch.empty(self.count, dtype=torch.int64, device=self.device)
        used = min(self.count, self.steps * task.BATCH)
        self.ordered_images, self.ordered_labels = self.images.new_empty(used, 1, 28, 28), self.labels.new_empty(used)
        rates = torch.from_numpy(task.learning_rates(len(work.orders) * self.steps))
        self.rates = rates.to(self.device).reshape(-1, self.steps)
        self.epoch_rates = torch.empty(self.steps, device=self.device)
        self.step_losses = torch.zeros(self.steps, device=self.device)
        self.graph = None

    def reset(self):
        """Starts anew from the weights of the folder, with no momentum."""
        with torch.no_grad():
            for name, values in self.net.named_parameters():
                values.copy_(torch.from_numpy(np.array(self.work.weights[name])))
            for state in self.optimizer.state.values():
                state["momentum_buffer"].zero_()

    def step(self, index):
        """Step `index` of the epoch whose order and rates lie ready."""
        batch, share = self.part(index)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.ordered_images[batch], self.ordered_labels[batch])
        # The mean over the processes of these is the mean over the whole batch.
        loss.backward(gradient=self.epoch_rates[index] * (share * self.gpus))
        self.optimizer.step()
        self.step_losses[index].copy_(loss.detach() * share)

    def part(self, index):
        """The images of a step that this process takes, and which share of the step's they are."""
        first, end = index * task.BATCH, min((index + 1) * task.BATCH, self.count)
        cut = lambda rank: first + (end - first) * rank // self.gpus
        batch = slice(cut(self.rank), cut(self.rank + 1))
        return batch, (batch.stop - batch.start) / (end - first)

    def losses_of_steps(self):
        """The mean loss of each step, on the host."""
        if self.gpus > 1:
            dist.all_reduce(self.step_losses)
        return self.step_losses.cpu().numpy()

    def upload(self):
        """The training images to the device, as bytes, and to float32 there."""
        images = torch.from_numpy(self.work.train_images).to(self.device)
        torch.div(images.unsqueeze(1), 255.0, out=self.images)
        self.labels.copy_(torch.from_numpy(self.work.train_labels).to(self.device))

    def arrange(self, number):
        """Lays the images and rates of an epoch ready."""
        order = torch.from_numpy(self.work.order(number)).to(self.device)
        torch.index_select(self.images, 0, order, out=self.ordered_images)
        torch.index_select(self.labels, 0, order, out=self.ordered_labels)
        self.epoch_rates.copy_(self.rates[number])

    def epoch(self, number):
        """One pass over the images; returns the mean loss, once it is on the host."""
        self.arrange(number)
        if self.graph:
            self.graph.replay()
        else:
            for index in range(self.steps):
                self.step(index)
        return task.mean_loss(self.losses_of_steps(), self.work.order(number))

    def warm_up(self):
        """Compiles, lets libraries choose, and captures: everything that happens once."""
        self.net.train()
        self.upload()
        self.arrange(0)
        few = sorted({*range(min(20, self.steps)), self.steps - 1})
        if self.graphed and not self.graph:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for index in few:
                    self.step(index)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                for index in range(self.steps):
                    self.step(index)
            self.graph = graph
        if self.graph:
            self.graph.replay()
        else:
            for index in few:
                self.step(index)
        self.synchronize()
        return self.steps if self.graph else len(few)

    def losses(self, steps):
        plain = Trainer(self.work, self.device, self.variant.replace("graph", ""), 0.0, 1, self.rank, self.gpus)
        plain.net.train()
        plain.upload()
        plain.reset()
        plain.arrange(0)
        for index in range(min(steps, plain.steps)):
            plain.step(index)
        return plain.losses_of_steps()[:steps].tolist()

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def prepare(self):
        self.reset()
        self.net.train()
        self.synchronize()

    def train(self):
        self.upload()
        told = task.timed_epochs(self.epochs, self.epoch)
        self.synchronize()
        return told

    def errors(self):
        self.net.eval()
        with torch.no_grad():
            images = torch.from_numpy(self.work.test_images).to(self.device).unsqueeze(1) / 255.0
            labels = torch.from_numpy(self.work.test_labels).to(self.device)
            parts = zip(images.split(1000), labels.split(1000))
            return sum((self.net(part).argmax(1) != truth).sum().item() for part, truth in parts)


def one_of(options, work):
    """The trainer of this process."""
    cuda, gpus, rank = options.device == "gpu", options.gpus, options.rank
    device = f"cuda:{rank}" if cuda else "cpu"
    if gpus > 1:
        if cuda:
            torch.cuda.set_device(rank)
        meeting = pathlib.Path(options.meeting).as_uri()
        dist.init_process_group("nccl" if cuda else "gloo", init_method=meeting, rank=rank, world_size=gpus)
        # Each drops values of its own.
        torch.manual_seed(rank)
    made = Trainer(work, device, options.variant, task.DROPOUT, options.epochs, rank, gpus)
    made.about = {
        "version": torch.__version__,
        "backend": options.variant if gpus == 1 else f"{options.variant}, DDP",
        "device": torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads",
    }
    return made


def trainer(options, work):
    if options.device == "gpu":
        if not torch.cuda.is_available():
            raise RuntimeError(f"PyTorch {torch.__version__} sees no GPU")
        if torch.cuda.device_count() < options.gpus:
            raise RuntimeError(f"PyTorch {torch.__version__} sees {torch.cuda.device_count()} GPUs")
    if options.gpus > 1 and "graph" in options.variant:
        raise RuntimeError("a CUDA graph of an epoch is of one GPU")
    torch.backends.cudnn.benchmark = True
    # Everything is float32; TF32 is other arithmetic, and a variant of its own.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = "tf32" in options.variant
    make = lambda: one_of(options, work)
    return task.Together(make, options) if options.gpus > 1 and options.rank == 0 else make()
