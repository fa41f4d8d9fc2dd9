// Milliseconds of a training step in one browser on one adapter: gpubench's page beside TensorFlow.js, in turns.
//
//     node compare.mjs PAGE TFJS [rounds]
//
// PAGE and TFJS are the addresses' folders: the built page and this folder with its packages installed.

import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";

const [page, tfjs, rounds = "2"] = process.argv.slice(2);
/** Steps of one round that count; TensorFlow.js takes ten times as long and more. */
const STEPS = { gpubench: 10, tfjs: 2 };
const ARGUMENTS = [
  "--headless=new", "--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader",
];
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

async function serve(folder) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    try {
      const body = await readFile(join(folder, path.endsWith("/") ? `${path}index.html` : path));
      response.writeHead(200, {
        "Content-Type": TYPES[extname(path)] ?? "text/html",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { server, address: `http://localhost:${server.address().port}/` };
}

async function startDriver() {
  const process = spawn("chromedriver", ["--port=0"], { stdio: ["ignore", "pipe", "ignore"] });
  for await (const chunk of process.stdout) {
    const port = /started successfully on port (\d+)/.exec(chunk)?.[1];
    if (port) return { process, url: `http://127.0.0.1:${port}` };
  }
  throw new Error("chromedriver did not start: install Chromium and its driver");
}

async function post(url, body) {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  const { value } = await response.json();
  if (value?.error) throw new Error(value.message);
  return value;
}

/** Opens a browser, hands a function that runs a body in its page to `use`, and closes it. */
async function browse(driver, address, downloads, use) {
  const options = { args: ARGUMENTS, prefs: { "download.default_directory": downloads } };
  const { sessionId } = await post(`${driver}/session`, { capabilities: { alwaysMatch: { "goog:chromeOptions": options } } });
  const session = `${driver}/session/${sessionId}`;
  try {
    await post(`${session}/timeouts`, { script: 280_000 });
    await post(`${session}/url`, { url: address });
    return await use((script, ...args) => post(`${session}/execute/sync`, { script, args }));
  } finally {
    await fetch(session, { method: "DELETE" });
  }
}

async function gpubench(driver, address) {
  const downloads = await mkdtemp(join(tmpdir(), "gpubench-"));
  const settings = `?steps=${STEPS.gpubench}&digits=${128 * STEPS.gpubench}&profile_steps=0&autostart=1`;
  try {
    return await browse(driver, `${address}${settings}`, downloads, async (run) => {
      while (await run("return document.getElementById('result').hidden")) {
        const problem = await run("return document.getElementById('problem').hidden ? '' : document.getElementById('problem').innerText");
        if (problem) throw new Error(problem);
        await new Promise((later) => setTimeout(later, 500));
      }
      await run("document.getElementById('download').click()");
      for (;;) {
        const name = (await readdir(downloads)).find((file) => file.endsWith(".json"));
        if (name) return JSON.parse(await readFile(join(downloads, name), "utf8"));
        await new Promise((later) => setTimeout(later, 100));
      }
    });
  } finally {
    await rm(downloads, { recursive: true });
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const servers = { page: await serve(page), tfjs: await serve(tfjs) };
const driver = await startDriver();
try {
  const ours = [];
  const theirs = [];
  for (let round = 1; round <= Number(rounds); round++) {
    const result = await gpubench(driver.url, servers.page.address);
    // A sample is [epoch, first step, steps, seconds].
    ours.push(...result.repeats[0].samples.map(([, , steps, seconds]) => (1e3 * seconds) / steps));
    const told = await browse(driver.url, servers.tfjs.address, tmpdir(), (run) =>
      run("return train(arguments[0], 1)", STEPS.tfjs));
    if (told.parameters !== result.model.parameters) throw new Error(`TensorFlow.js trains ${told.parameters} parameters, not ${result.model.parameters}`);
    theirs.push(...told.durations);
    if (![...ours, ...theirs].every((duration) => duration > 0)) throw new Error(`these are no durations: ${ours}, ${theirs}`);
    const name = result.environment.adapter.name;
    console.log(`round ${round}: gpubench ${result.environment.tool.version} on ${name}: ${median(ours).toFixed(0)} ms a step; ` +
      `TensorFlow.js ${told.version} on ${told.adapter}: ${median(theirs).toFixed(0)} ms a step (loss ${told.loss.toFixed(3)})`);
  }
  console.log(`median of ${ours.length} and ${theirs.length} steps: ${median(ours).toFixed(0)} and ${median(theirs).toFixed(0)} ms; ` +
    `gpubench is ${(median(theirs) / median(ours)).toFixed(1)} times as fast`);
} finally {
  driver.process.kill();
  for (const { server } of Object.values(servers)) server.close();
}
