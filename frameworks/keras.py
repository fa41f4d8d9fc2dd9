"""Keras 3 on one of its backends, the option's variant: tensorflow, torch or jax. `fit` trains, as its users do."""

import os

import numpy as np

import task


class Trainer:
    """A model that is trained, and one without dropout whose losses are compared."""

    def __init__(self, options, work, keras):
        self.keras, self.work, self.epochs = keras, work, options.epochs
        # PyTorch's own layout; the other backends compute in the layout that Keras has by default.
        self.first = options.variant == "torch"
        keras.config.set_image_data_format("channels_first" if self.first else "channels_last")
        self.shape = (1, 28, 28) if self.first else (28, 28, 1)
        self.weights = task.to_keras(work.weights)
        self.model = self.build(task.DROPOUT)
        self.about = about(options, keras)

    def build(self, dropout):
        layers = self.keras.layers
        model = self.keras.Sequential(
            [
                layers.Input(self.shape),
                layers.Conv2D(32, 4, activation="relu", name="conv1"),
                layers.MaxPooling2D(),
                layers.Conv2D(16, 3, activation="relu", name="conv2"),
                layers.MaxPooling2D(),
                layers.Flatten(),
                layers.Dropout(dropout),
                layers.Dense(128, activation="relu", name="fc1"),
                layers.Dense(64, activation="relu", name="fc2"),
                layers.Dense(10, name="fc3"),
            ]
        )
        # 0.05 / (1 + 1e-5 t), t counted in steps.
        rate = self.keras.optimizers.schedules.InverseTimeDecay(task.RATE, decay_steps=1, decay_rate=task.DECAY)
        model.compile(
            optimizer=self.keras.optimizers.SGD(rate, momentum=task.MOMENTUM),
            loss=self.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self.reset(model)
        return model

    def reset(self, model):
        """The weights of the folder, no momentum, step 0."""
        for layer in task.LAYERS:
            model.get_layer(layer).set_weights([self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]])
        task.forget(model.optimizer)

    def fit(self, images, labels, order):
        history = self.model.fit(
            images.take(order, 0), labels.take(order), batch_size=task.BATCH, epochs=1, shuffle=False, verbose=0
        )
        return history.history["loss"][0]

    def digits(self):
        return self.work.floats(self.work.train_images, self.shape), self.work.train_labels.astype(np.int32)

    def warm_up(self):
        order = self.work.warm_up_order(20)
        images, labels = self.digits()
        self.fit(images, labels, order)
        return len(task.batches(order))

    def losses(self, steps):
        plain = self.build(0.0)
        images, labels = self.digits()
        told = []
        for batch in task.batches(self.work.order(0))[:steps]:
            plain.reset_metrics()
            told.append(plain.train_on_batch(images[batch], labels[batch]))
        return told

    def prepare(self):
        self.reset(self.model)

    def train(self):
        images, labels = self.digits()
        return task.timed_epochs(self.epochs, lambda epoch: self.fit(images, labels, self.work.order(epoch)))

    def errors(self):
        images = self.work.floats(self.work.test_images, self.shape)
        logits = self.model.predict(images, batch_size=1000, verbose=0)
        return (logits.argmax(1) != self.work.test_labels).sum()


def about(options, keras):
    """Versions and device; fails where a GPU is wanted and the backend has none."""
    gpus = []
    if options.variant == "tensorflow":
        import tensorflow

        version, gpus = tensorflow.__version__, tensorflow.config.list_physical_devices("GPU")
        device = tensorflow.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else ""
    elif options.variant == "torch":
        import torch

        version = torch.__version__
        gpus = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
        device = gpus[0] if gpus else ""
    else:
        import jax

        version, gpus = jax.__version__, [one for one in jax.devices() if one.platform == "gpu"]
        device = gpus[0].device_kind if gpus else ""
    if options.device == "gpu" and not gpus:
        raise RuntimeError(f"{options.variant} {version} sees no GPU")
    device = device if options.device == "gpu" else task.on_cpu()
    return {"version": keras.__version__, "backend": f"{options.variant} {version}", "device": device}


def trainer(options, work):
    os.environ["KERAS_BACKEND"] = options.variant
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ["JAX_PLATFORMS"] = "cpu"
    elif options.variant == "jax":
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    import keras

    # Everything is float32; TF32 is other arithmetic.
    if options.variant == "tensorflow":
        import tensorflow

        tensorflow.config.experimental.enable_tensor_float_32_execution(False)
    elif options.variant == "torch":
        import torch

        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    else:
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    return Trainer(options, work, keras)
