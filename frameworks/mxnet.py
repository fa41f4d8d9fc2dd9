"""MXNet, with Gluon's hybridised network. Its SGD is v <- 0.9 v - rate g; w <- w + v, as the task asks."""

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

import task


class Trainer:
    """A network that is trained, and one without dropout whose losses are compared."""

    def __init__(self, options, work):
        self.work, self.epochs = work, options.epochs
        # Each takes a part of every batch; their gradients are added. Several parts of the CPU stand in for GPUs in tests.
        self.devices = [mx.cpu(index) for index in range(options.gpus)]
        if options.device == "gpu":
            count = mx.context.num_gpus()
            if count < options.gpus:
                raise RuntimeError(f"mxnet {mx.__version__} sees {count or 'no'} GPU{'s' if count > 1 else ''}")
            self.devices = [mx.gpu(index) for index in range(options.gpus)]
        self.loss = gluon.loss.SoftmaxCrossEntropyLoss()
        self.rates = task.learning_rates(len(work.orders) * work.steps_per_epoch)
        self.net, self.optimizer = self.build(task.DROPOUT)
        device = task.on_cpu() if options.device == "cpu" else f"{len(self.devices)} GPU{'s' * (options.gpus > 1)}"
        self.about = {"version": mx.__version__, "backend": "gluon", "device": device}

    def build(self, dropout):
        net = gluon.nn.HybridSequential()
        net.add(
            gluon.nn.Conv2D(32, 4, in_channels=1, activation="relu"),
            gluon.nn.MaxPool2D(),
            gluon.nn.Conv2D(16, 3, in_channels=32, activation="relu"),
            gluon.nn.MaxPool2D(),
            gluon.nn.Flatten(),
            gluon.nn.Dropout(dropout),
            gluon.nn.Dense(128, in_units=400, activation="relu"),
            gluon.nn.Dense(64, in_units=128, activation="relu"),
            gluon.nn.Dense(10, in_units=64),
        )
        net.initialize(ctx=self.devices)
        net.hybridize(static_alloc=True, static_shape=False)
        return net, self.reset(net)

    def reset(self, net):
        """The weights of the folder; an optimizer without momentum so far."""
        layers = [net[index] for index in (0, 2, 6, 7, 8)]
        for name, layer in zip(task.LAYERS, layers):
            layer.weight.set_data(mx.nd.array(self.work.weights[f"{name}.weight"]))
            layer.bias.set_data(mx.nd.array(self.work.weights[f"{name}.bias"]))
        settings = {"learning_rate": task.RATE, "momentum": task.MOMENTUM, "wd": 0.0}
        return gluon.Trainer(net.collect_params(), "sgd", settings)

    def digits(self):
        return self.work.floats(self.work.train_images, (1, 28, 28)), self.work.train_labels.astype(np.float32)

    def steps(self, net, optimizer, images, labels, order, first):
        """Losses of the steps over `order`; they stay on the device until all are under way."""
        images, labels = images.take(order, 0), labels.take(order)
        told = []
        for index, at in enumerate(range(0, len(order), task.BATCH)):
            batch = slice(at, at + task.BATCH)
            optimizer.set_learning_rate(float(self.rates[first + index]))
            parts = [gluon.utils.split_and_load(of[batch], self.devices, even_split=False) for of in (images, labels)]
            with autograd.record():
                losses = [self.loss(net(part), truth) for part, truth in zip(*parts)]
            autograd.backward(losses)
            optimizer.step(len(images[batch]))
            told.append([loss.sum() for loss in losses])
        sizes = [len(batch) for batch in task.batches(order)]
        return [sum(part.asscalar() for part in parts) / size for parts, size in zip(told, sizes)]

    def warm_up(self):
        order = self.work.warm_up_order(20)
        self.steps(self.net, self.optimizer, *self.digits(), order, 0)
        return len(task.batches(order))

    def losses(self, steps):
        net, optimizer = self.build(0.0)
        return self.steps(net, optimizer, *self.digits(), self.work.order(0)[: steps * task.BATCH], 0)

    def prepare(self):
        self.optimizer = self.reset(self.net)

    def train(self):
        images, labels = self.digits()

        def one(epoch):
            order = self.work.order(epoch)
            first = epoch * self.work.steps_per_epoch
            return task.mean_loss(self.steps(self.net, self.optimizer, images, labels, order, first), order)

        return task.timed_epochs(self.epochs, one)

    def errors(self):
        images = mx.nd.array(self.work.floats(self.work.test_images, (1, 28, 28)), ctx=self.devices[0])
        parts = [self.net(images[at : at + 1000]).asnumpy() for at in range(0, len(images), 1000)]
        return (np.concatenate(parts).argmax(1) != self.work.test_labels).sum()


def trainer(options, work):
    return Trainer(options, work)
