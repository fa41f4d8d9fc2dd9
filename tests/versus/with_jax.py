"""A worker that trains gpubench's network with JAX: one jitted call an epoch, a `lax.scan` over its batches.

Images are [N, H, W, C], JAX's usual layout; fc1's inputs are put in the file's order when weights are loaded. Variant `reshape`
pools by reshaping, which XLA can fuse, in place of the window that libraries on JAX use.
"""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import task


def from_file(parameters):
    """Parameters by name in PyTorch's layouts, in those of this worker: convolutions [H, W, in, out], dense [in, out]."""
    own = {}
    for name, values in parameters.items():
        if values.ndim == 4:
            values = values.transpose(2, 3, 1, 0)
        elif name == "fc1.weight":
            values = values.reshape(128, 16, 5, 5).transpose(2, 3, 1, 0).reshape(400, 128)
        elif values.ndim == 2:
            values = values.T
        own[name] = jnp.asarray(np.ascontiguousarray(values))
    return own


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

    def __init__(self, data, variant, dropout, shuffle, epochs, steps):
        self.data, self.epochs = data, epochs
        count = len(data.train_images)
        self.all_steps = -(-count // task.BATCH)
        steps = min(steps or self.all_steps, self.all_steps)
        logits = functools.partial(logits_of, reshape_pool if variant == "reshape" else window_pool, dropout)

        def step(state, batch):
            parameters, velocities = state
            images, labels, rate, key = batch
            objective = lambda parameters: cross_entropy(logits(parameters, images, key), labels)
            loss, gradients = jax.value_and_grad(objective)(parameters)
            velocities = jax.tree.map(lambda v, g: task.MOMENTUM * v - rate * g, velocities, gradients)
            return (jax.tree.map(jnp.add, parameters, velocities), velocities), loss

        def epoch(parameters, velocities, images, labels, rates, key):
            """One pass over the images; returns the losses of its steps too."""
            keys = jax.random.split(key, steps + 1)
            if shuffle:
                order = jax.random.permutation(keys[-1], count)
                images, labels = images[order], labels[order]
            whole = min(steps, count // task.BATCH)
            batches = lambda values: values[: whole * task.BATCH].reshape(whole, task.BATCH, *values.shape[1:])
            state, losses = lax.scan(
                step, (parameters, velocities), (batches(images), batches(labels), rates[:whole], keys[:whole])
            )
            if steps > whole:
                rest = slice(whole * task.BATCH, count)
                state, last = step(state, (images[rest], labels[rest], rates[whole], keys[whole]))
                losses = jnp.append(losses, last)
            return *state, losses

        sizes = np.minimum(task.BATCH, count - task.BATCH * np.arange(steps))
        self.sizes = sizes / sizes.sum()
        self.epoch = jax.jit(epoch, donate_argnums=(0, 1))
        self.to_floats = jax.jit(lambda bytes_: bytes_[..., None].astype(jnp.float32) / 255.0)
        self.right = jax.jit(lambda parameters, images, labels: jnp.sum(logits(parameters, images).argmax(1) == labels))

    def start(self, parameters):
        parameters = from_file(parameters)
        return parameters, jax.tree.map(jnp.zeros_like, parameters)

    def upload(self):
        images = self.to_floats(jax.device_put(self.data.train_images))
        return images, jax.device_put(self.data.train_labels).astype(jnp.int32)

    def epochs_from(self, parameters, seed, epochs):
        """Trains; returns the parameters and each epoch's losses, on the host."""
        state = self.start(parameters)
        jax.block_until_ready(state)
        rates = task.learning_rates(epochs * self.all_steps).reshape(epochs, self.all_steps)
        keys = jax.random.split(jax.random.key(seed), epochs)
        begun = time.perf_counter()
        images, labels = self.upload()
        losses = []
        for number in range(epochs):
            *state, told = self.epoch(*state, images, labels, jnp.asarray(rates[number]), keys[number])
            losses.append(np.asarray(told))
        jax.block_until_ready(state)
        return state[0], losses, time.perf_counter() - begun

    def warm_up(self):
        """Compiles everything."""
        parameters, *_ = self.epochs_from(task.glorot(0), 0, 1)
        self.error_pct(parameters)

    def train(self, seed):
        """One training by gpubench's clock: from the data in host memory to the last epoch's results on the host."""
        parameters, losses, train_s = self.epochs_from(task.glorot(seed), seed, self.epochs)
        means = [float(of_epoch @ self.sizes) for of_epoch in losses]
        return {"train_s": train_s, "losses": means, "error_pct": self.error_pct(parameters)}

    def error_pct(self, parameters):
        """Share of the test images that are misclassified."""
        images, labels = self.to_floats(self.data.test_images), self.data.test_labels
        parts = range(0, len(labels), 1000)
        right = sum(int(self.right(parameters, images[at : at + 1000], labels[at : at + 1000])) for at in parts)
        return 100.0 * (len(labels) - right) / len(labels)


def main():
    options = task.arguments()
    jax.config.update("jax_platforms", options.device)
    # Without this, multiplications on a GPU are TF32.
    jax.config.update("jax_default_matmul_precision", "highest")
    data = task.Data(options.data)
    make = lambda **more: Trainer(data, options.variant, **more)
    trainer = make(dropout=task.DROPOUT, shuffle=True, epochs=options.epochs, steps=options.steps)

    def warm_up():
        return {"warm_up_s": task.timed(trainer.warm_up)[1]}

    def losses(steps):
        plain = make(dropout=0.0, shuffle=False, epochs=1, steps=steps)
        return {"losses": plain.epochs_from(task.read_safetensors(options.start), 0, 1)[1][0].tolist()}

    task.serve(
        {"version": jax.__version__, "device": jax.devices()[0].device_kind},
        {"warm_up": warm_up, "losses": losses, "train": trainer.train},
    )


if __name__ == "__main__":
    main()
