"""JAX: one jitted call an epoch, a `lax.scan` over its batches.

Images are [N, H, W, C], JAX's usual layout, and parameters those of Keras. Variant `reshape` pools by reshaping, which
XLA can fuse, in place of the window that libraries on JAX use.
"""

import functools
import os

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import task


def window_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def reshape_pool(x):
    n, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    return x.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))


def logits_of(pool, dropout, parameters, images, key=None):
    """Images [N, 28, 28, 1] to logits [N, 10]; with a key, values are dropped."""

    def convolution(x, layer):
        x = lax.conv_general_dilated(
            x, parameters[f"{layer}.weight"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return pool(jax.nn.relu(x + parameters[f"{layer}.bias"]))

    dense = lambda x, layer: x @ parameters[f"{layer}.weight"] + parameters[f"{layer}.bias"]
    x = convolution(convolution(images, "conv1"), "conv2").reshape(len(images), 400)
    if key is not None and dropout > 0.0:
        x = jnp.where(jax.random.bernoulli(key, 1.0 - dropout, x.shape), x / (1.0 - dropout), 0.0)
    return dense(jax.nn.relu(dense(jax.nn.relu(dense(x, "fc1")), "fc2")), "fc3")


def cross_entropy(logits, labels):
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1))


class Trainer:
    """Trainings of one recipe."""

    def __init__(self, work, variant, dropout, epochs):
        self.work, self.variant, self.epochs = work, variant, epochs
        count, steps = work.count, work.steps_per_epoch
        logits = functools.partial(logits_of, reshape_pool if variant == "reshape" else window_pool, dropout)

        def step(state, batch):
            parameters, velocities = state
            images, labels, rate, key = batch
            objective = lambda parameters: cross_entropy(logits(parameters, images, key), labels)
            loss, gradients = jax.value_and_grad(objective)(parameters)
            velocities = jax.tree.map(lambda v, g: task.MOMENTUM * v - rate * g, velocities, gradients)
            return (jax.tree.map(jnp.add, parameters, velocities), velocities), loss

        def epoch(parameters, velocities, images, labels, order, rates, key):
            """One pass over the images in `order`; returns the losses of its steps too."""
            keys = jax.random.split(key, steps)
            images, labels = images[order], labels[order]
            whole = min(steps, count // task.BATCH)
            parts = lambda values: values[: whole * task.BATCH].reshape(whole, task.BATCH, *values.shape[1:])
            state, losses = lax.scan(
                step, (parameters, velocities), (parts(images), parts(labels), rates[:whole], keys[:whole])
            )
            if steps > whole:
                rest = slice(whole * task.BATCH, count)
                state, last = step(state, (images[rest], labels[rest], rates[whole], keys[whole]))
                losses = jnp.append(losses, last)
            return *state, losses

        self.epoch = jax.jit(epoch, donate_argnums=(0, 1))
        self.step = jax.jit(step)
        self.to_floats = jax.jit(lambda bytes_: bytes_[..., None].astype(jnp.float32) / 255.0)
        self.wrong = jax.jit(lambda parameters, images, labels: jnp.sum(logits(parameters, images).argmax(1) != labels))
        self.rates = task.learning_rates(len(work.orders) * steps).reshape(-1, steps)
        self.prepare()

    def prepare(self):
        parameters = {name: jnp.asarray(values) for name, values in task.to_keras(self.work.weights).items()}
        self.state = parameters, jax.tree.map(jnp.zeros_like, parameters)
        jax.block_until_ready(self.state)

    def upload(self):
        images = self.to_floats(jax.device_put(self.work.train_images))
        return images, jax.device_put(self.work.train_labels).astype(jnp.int32)

    def one(self, images, labels, number):
        order, key = jnp.asarray(self.work.order(number)), jax.random.key(number)
        *state, losses = self.epoch(*self.state, images, labels, order, jnp.asarray(self.rates[number]), key)
        self.state = tuple(state)
        return task.mean_loss(np.asarray(losses), self.work.order(number))

    def warm_up(self):
        """Compiles everything: a whole epoch is one call."""
        self.one(*self.upload(), 0)
        return self.work.steps_per_epoch

    def losses(self, steps):
        plain = Trainer(self.work, self.variant, 0.0, 1)
        images, labels = plain.upload()
        told, state = [], plain.state
        for index, batch in enumerate(task.batches(self.work.order(0))[:steps]):
            state, loss = plain.step(state, (images[batch], labels[batch], self.rates[0][index], jax.random.key(0)))
            told.append(loss)
        return told

    def train(self):
        images, labels = self.upload()
        told = task.timed_epochs(self.epochs, lambda number: self.one(images, labels, number))
        jax.block_until_ready(self.state)
        return told

    def errors(self):
        images, labels = self.to_floats(self.work.test_images), self.work.test_labels
        parts = range(0, len(labels), 1000)
        return sum(int(self.wrong(self.state[0], images[at : at + 1000], labels[at : at + 1000])) for at in parts)


def trainer(options, work):
    jax.config.update("jax_platforms", "cuda" if options.device == "gpu" else "cpu")
    # Memory that a run before this one left is all that there is.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    # Without this, multiplications on a GPU are TF32.
    jax.config.update("jax_default_matmul_precision", "highest")
    made = Trainer(work, options.variant, task.DROPOUT, options.epochs)
    device = jax.devices()[0].device_kind if options.device == "gpu" else task.on_cpu()
    made.about = {"version": jax.__version__, "backend": "xla", "device": device}
    return made
