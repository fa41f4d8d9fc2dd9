// gpubench's network and optimiser in TensorFlow.js.
// window.train(steps, warmUp) resolves with milliseconds of each step.

const BATCH = 128;

function network() {
  const convolution = (filters, kernelSize, more) =>
    tf.layers.conv2d({ filters, kernelSize, activation: "relu", kernelInitializer: "glorotUniform", ...more });
  const dense = (units, activation) => tf.layers.dense({ units, activation, kernelInitializer: "glorotUniform" });
  const model = tf.sequential({
    layers: [
      convolution(32, 4, { inputShape: [28, 28, 1] }),
      tf.layers.maxPooling2d({ poolSize: 2, strides: 2 }),
      convolution(16, 3),
      tf.layers.maxPooling2d({ poolSize: 2, strides: 2 }),
      tf.layers.dropout({ rate: 0.2 }),
      tf.layers.flatten(),
      dense(128, "relu"),
      dense(64, "relu"),
      dense(10, "softmax"),
    ],
  });
  model.compile({ optimizer: tf.train.momentum(0.05, 0.9), loss: "categoricalCrossentropy" });
  return model;
}

// Values do not change the time of a step; labels are spread over the classes.
async function train(steps, warmUp) {
  await tf.setBackend("webgpu");
  await tf.ready();
  if (tf.getBackend() !== "webgpu") throw new Error(`the backend is ${tf.getBackend()}, not webgpu`);
  const model = network();
  const images = tf.randomUniform([BATCH, 28, 28, 1], 0, 1, "float32", 7);
  const labels = tf.oneHot(tf.tensor1d(Array.from({ length: BATCH }, (_, index) => index % 10), "int32"), 10);
  const durations = [];
  let loss = NaN;
  for (let step = 0; step < warmUp + steps; step++) {
    const start = performance.now();
    // Resolves once the loss is back on the host, hence after the whole step.
    loss = await model.trainOnBatch(images, labels);
    if (step >= warmUp) durations.push(performance.now() - start);
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  const { vendor, architecture } = adapter.info;
  return { durations, loss, parameters: model.countParams(), version: tf.version.tfjs, adapter: `${vendor} ${architecture}` };
}
