"""Keras 2, of the years of the published comparison, on the option's variant: theano, or cntk where a Python has it."""

import collections
import collections.abc
import importlib
import inspect
import os
import sys

import numpy as np

import task


def as_it_was():
    """Puts back what later versions of Python and NumPy removed, before anything of those years is imported."""
    for name in ("Callable", "Iterable", "Iterator", "Mapping", "MutableMapping", "MutableSet", "Sequence"):
        if not hasattr(collections, name):
            setattr(collections, name, getattr(collections.abc, name))
    if not hasattr(inspect, "getargspec"):

        def getargspec(function):
            told = inspect.getfullargspec(function)
            return inspect.ArgInfo(told.args, told.varargs, told.varkw, told.defaults)

        inspect.getargspec = getargspec


def theano_relu(x):
    """ReLU whose gradient at 0 is 0, as in every other tool; that of Theano's own is one half."""
    import theano.tensor as T

    return T.switch(x > 0, x, np.float32(0))


def theano_pool(x):
    """Max pooling whose gradient goes to the first of equal values; that of Theano's own goes to each of them."""
    import theano.tensor as T

    height, width = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
    part = lambda row, column: x[:, :, row:height:2, column:width:2]
    first = lambda a, b: T.switch(T.ge(a, b), a, b)
    return first(first(part(0, 0), part(0, 1)), first(part(1, 0), part(1, 1)))


class Trainer:
    """A model that is trained, and one without dropout whose losses are compared."""

    def __init__(self, options, work, keras):
        self.keras, self.work, self.epochs = keras, work, options.epochs
        self.is_theano = options.variant == "theano"
        # The layout that Theano computes in.
        keras.backend.set_image_data_format("channels_first")
        self.weights = task.to_keras(work.weights)
        if self.is_theano:
            # Theano convolves: it turns the filters that the others correlate with.
            turned = lambda values: np.ascontiguousarray(values[::-1, ::-1]) if values.ndim == 4 else values
            self.weights = {name: turned(values) for name, values in self.weights.items()}
        version = importlib.import_module(options.variant).__version__
        self.model = self.build(task.DROPOUT)
        self.about = {
            "version": keras.__version__,
            "backend": f"{options.variant} {version}",
            "device": task.on_cpu(),
        }

    def build(self, dropout):
        layers = self.keras.layers
        relu, pool = "relu", layers.MaxPooling2D
        if self.is_theano:
            relu = theano_relu
            halved = lambda shape: (*shape[:2], shape[2] // 2, shape[3] // 2)
            pool = lambda: layers.Lambda(theano_pool, output_shape=halved)
        model = self.keras.models.Sequential(
            [
                layers.Conv2D(32, 4, activation=relu, name="conv1", input_shape=(1, 28, 28)),
                pool(),
                layers.Conv2D(16, 3, activation=relu, name="conv2"),
                pool(),
                layers.Flatten(),
                layers.Dropout(dropout),
                layers.Dense(128, activation=relu, name="fc1"),
                layers.Dense(64, activation=relu, name="fc2"),
                layers.Dense(10, activation="softmax", name="fc3"),
            ]
        )
        # Its decay is rate / (1 + decay * t), t counted in steps.
        optimizer = self.keras.optimizers.SGD(lr=task.RATE, momentum=task.MOMENTUM, decay=task.DECAY)
        model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
        model._make_train_function()
        self.reset(model)
        return model

    def reset(self, model):
        """The weights of the folder, no momentum, step 0."""
        for layer in task.LAYERS:
            model.get_layer(layer).set_weights([self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]])
        model.optimizer.set_weights([np.zeros_like(values) for values in model.optimizer.get_weights()])

    def fit(self, images, labels, order):
        history = self.model.fit(
            images.take(order, 0), labels.take(order), batch_size=task.BATCH, epochs=1, shuffle=False, verbose=0
        )
        return history.history["loss"][0]

    def digits(self):
        return self.work.floats(self.work.train_images, (1, 28, 28)), self.work.train_labels.astype(np.int32)

    def warm_up(self):
        order = self.work.warm_up_order(10)
        images, labels = self.digits()
        self.fit(images, labels, order)
        return len(task.batches(order))

    def losses(self, steps):
        plain = self.build(0.0)
        images, labels = self.digits()
        return [
            plain.train_on_batch(images[batch], labels[batch]) for batch in task.batches(self.work.order(0))[:steps]
        ]

    def prepare(self):
        self.reset(self.model)

    def train(self):
        images, labels = self.digits()
        return task.timed_epochs(self.epochs, lambda epoch: self.fit(images, labels, self.work.order(epoch)))

    def errors(self):
        shares = self.model.predict(self.work.floats(self.work.test_images, (1, 28, 28)), batch_size=1000)
        return (shares.argmax(1) != self.work.test_labels).sum()


def trainer(options, work):
    if options.device == "gpu":
        raise RuntimeError("its GPU code needs a CUDA of 2017, which drivers of today do not run")
    as_it_was()
    os.environ["KERAS_BACKEND"] = options.variant
    if options.variant == "theano":
        flags = f"floatX=float32,device=cpu,base_compiledir={options.work}/theano"
        os.environ["THEANO_FLAGS"] = f"blas__ldflags=-lopenblas,{flags}"
        os.environ.setdefault("OMP_NUM_THREADS", str(task.cores()))
        import theano.sandbox.rng_mrg as mrg

        # Keras calls it by its former name.
        if not hasattr(mrg, "MRG_RandomStreams"):
            mrg.MRG_RandomStreams = mrg.MRG_RandomStream
    import keras

    return Trainer(options, work, keras)
