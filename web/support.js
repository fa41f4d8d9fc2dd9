// Why there is no WebGPU, and what to do about it.

const agent = navigator.userAgent;
const isLinux = /Linux/.test(agent) && !/Android/.test(agent);
const isFirefox = /Firefox\//.test(agent);
const isSafari = /Safari\//.test(agent) && !/Chrom(e|ium)\//.test(agent);

/** What to do where a browser has WebGPU but gives no adapter on this system. */
export function systemHint() {
  if (isLinux) {
    return "On Linux start Chrome or Chromium with --enable-unsafe-webgpu --enable-features=Vulkan (chrome://flags/#enable-unsafe-webgpu and #enable-vulkan do the same), and install the GPU's Vulkan driver; --use-webgpu-adapter=swiftshader takes the software adapter.";
  }
  if (/Windows/.test(agent)) {
    return "On Windows update the graphics driver and look at chrome://gpu; where the GPU is on a blocklist, chrome://flags/#ignore-gpu-blocklist overrides it.";
  }
  if (/Mac OS X/.test(agent)) {
    return "On macOS turn hardware acceleration on in the browser's settings and look at chrome://gpu; Safari has WebGPU from version 26.";
  }
  if (/Android/.test(agent)) {
    return "On Android use Chrome 121 or newer on Android 12 or newer; chrome://flags/#enable-unsafe-webgpu enables GPUs that are not yet supported.";
  }
  return "Update the graphics driver and look at chrome://gpu for the reason.";
}

/** Why `navigator.gpu` is missing; null if it is there. */
export function explainMissingWebGpu() {
  if ("gpu" in navigator) return null;
  if (!isSecureContext) {
    return {
      title: "This page was not loaded securely",
      text: `Browsers offer WebGPU only to pages from https:// or from localhost; this one came from ${location.origin}.`,
      todo: "Open it through https:// or http://localhost.",
    };
  }
  let todo = "Chrome and Edge have WebGPU from version 113 on Windows, macOS and ChromeOS, and from 121 on Android; Safari from 26; Firefox from 141 on Windows.";
  if (isFirefox) todo = "Firefox has WebGPU from version 141 on Windows and 145 on macOS; elsewhere set dom.webgpu.enabled in about:config of Firefox Nightly, or use Chrome.";
  else if (isSafari) todo = "Safari has WebGPU from version 26; update the system, or use Chrome 113 or newer.";
  else if (isLinux) todo = `Chrome on Linux needs a flag. ${systemHint()}`;
  return { title: "This browser does not offer WebGPU", text: `It says that it is: ${agent}`, todo };
}

/** What to say when a run ended without any result. */
export function explainRefusal(message) {
  const lacks = /lacks a limit|limit|feature/i.test(message);
  return {
    title: lacks ? "The device could not be opened" : "The run could not start",
    text: message,
    todo: lacks
      ? "The message names the limit or feature that is missing: choose a smaller batch, or another adapter or browser."
      : "Mend what the message names and start again; “Copy diagnostics” below collects what a bug report needs.",
  };
}
