// Runs the benchmark away from the page, so that the page never freezes.

import init, * as gpubench from "./pkg/gpubench.js";

const ready = init().then(() => undefined);

/** The smallest step of performance.now(), in nanoseconds. */
function clockStepNs() {
  let smallest = Infinity;
  for (let found = 0; found < 20;) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    smallest = Math.min(smallest, now - start);
    found += 1;
  }
  return Math.round(smallest * 1e6);
}

/** What the browser tells of itself and of its adapter; `device` is what the visitor typed. */
async function host(device) {
  const told = {
    user_agent: navigator.userAgent,
    logical_cores: navigator.hardwareConcurrency,
    cross_origin_isolated: self.crossOriginIsolated === true,
    clock_step_ns: clockStepNs(),
    now_utc: new Date().toISOString(),
    device: device ?? "",
  };
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (adapter) {
    const info = adapter.info ?? {};
    told.vendor = info.vendor ?? "";
    told.architecture = info.architecture ?? "";
    told.description = info.description ?? "";
    told.is_fallback = info.isFallbackAdapter === true || adapter.isFallbackAdapter === true;
  }
  return { told, adapter };
}

/** Features and limits of the adapter, for diagnostics. */
function offered(adapter) {
  if (!adapter) return null;
  const limits = {};
  for (const name in adapter.limits) limits[name] = adapter.limits[name];
  return { features: [...adapter.features].sort(), limits };
}

const calls = {
  async look({ device }) {
    const { told, adapter } = await host(device);
    const adapters = adapter ? JSON.parse(await gpubench.adapters(JSON.stringify(told))) : [];
    return {
      version: gpubench.version(),
      parameters: gpubench.parameter_count(),
      reportStyle: gpubench.report_style(),
      fileNames: JSON.parse(gpubench.file_names()),
      adapters,
      told,
      offered: offered(adapter),
    };
  },
  async run({ request, device }) {
    const { told } = await host(device);
    const onEvent = (text) => postMessage({ event: JSON.parse(text) });
    return JSON.parse(await gpubench.run(JSON.stringify(request), JSON.stringify(told), onEvent, turn));
  },
  show: ({ result }) => JSON.parse(gpubench.show(result)),
  read: ({ result }) => void gpubench.show(result),
  stop: () => gpubench.stop(),
  warn: ({ text }) => gpubench.warn(text),
  file: ({ index, name, bytes }) => gpubench.set_file(index, name, new Uint8Array(bytes)),
  differences: ({ request }) => JSON.parse(gpubench.differences(JSON.stringify(request))),
  classify: ({ pixels }) => gpubench.classify(pixels),
  compare: ({ first, second }) => JSON.parse(gpubench.compare(first, second)),
  code: ({ text }) => JSON.parse(gpubench.qr_code(text)),
};

// A message to oneself: unlike a timer, a browser does not delay it.
const channel = new MessageChannel();
const turns = [];
channel.port1.onmessage = () => turns.shift()();

/** A promise that is resolved after the messages that have arrived so far. */
const turn = () => new Promise((resolve) => {
  turns.push(resolve);
  channel.port2.postMessage(null);
});

self.addEventListener("message", async ({ data: { id, call, ...values } }) => {
  try {
    await ready;
    postMessage({ id, value: await calls[call](values) });
  } catch (error) {
    postMessage({ id, error: error?.message ?? String(error) });
  }
});
