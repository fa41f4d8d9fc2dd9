// The settings: fields, address and request say the same.

import { $, field } from "./dom.js";

/** The numbers that can be set, with the words for their range. */
const NUMBERS = {
  epochs: "a whole number from 1 to 1000",
  batch: "a whole number from 1",
  steps: "a whole number from 1",
  seed: "a whole number from 0",
  repeat: "a whole number from 1 to 1000",
  dropout: "a number from 0 to below 1",
  digits: "a whole number from 6 to 60000",
  profile_steps: "a whole number from 0",
};
/** What can be chosen. */
const CHOICES = { data: ["synthetic", "files"], target: ["webgpu", "cpu"] };
const OTHERS = ["device", "autostart", "quick"];
const PROFILED_STEPS = 20;

/** Fills the fields from the address; gives the address and what is wrong with it, one sentence each. */
export function readAddress() {
  const address = new URLSearchParams(location.search);
  const problems = [];
  for (const [name, value] of address) {
    if (name in NUMBERS) {
      const valid = name === "dropout" ? /^\d*\.?\d+$/ : /^\d+$/;
      if (valid.test(value)) field(name).value = value;
      else problems.push(`${name}=${value}: ${name} is ${NUMBERS[name]}.`);
    } else if (name in CHOICES) {
      if (CHOICES[name].includes(value)) field(name).value = value;
      else problems.push(`${name}=${value}: ${name} is ${CHOICES[name].join(" or ")}.`);
    } else if (!OTHERS.includes(name)) {
      problems.push(`${name}: there is no such setting. There are ${known().join(", ")}.`);
    }
  }
  if (address.has("device")) $("device-name").value = address.get("device");
  return { address, problems };
}

const known = () => [...Object.keys(NUMBERS), ...Object.keys(CHOICES), ...OTHERS];

/** Writes the fields into the address, so that a link repeats them. */
export function writeAddress() {
  const address = new URLSearchParams(location.search);
  for (const name of [...Object.keys(NUMBERS), ...Object.keys(CHOICES)]) {
    const { value } = field(name);
    if (value && value !== CHOICES[name]?.[0]) address.set(name, value);
    else address.delete(name);
  }
  const device = $("device-name").value.trim();
  if (device) address.set("device", device);
  else address.delete("device");
  address.delete("autostart");
  const text = address.toString();
  history.replaceState(null, "", (text ? `?${text}` : location.pathname) + location.hash);
}

/** The request for a run. */
export function request(quick) {
  const asked = { quick, data: field("data").value, target: field("target").value };
  for (const name of Object.keys(NUMBERS)) {
    const { value } = field(name);
    if (value !== "") asked[name] = Number(value);
  }
  asked.profile_steps ??= PROFILED_STEPS;
  if (asked.profile_steps === 0) delete asked.profile_steps;
  return asked;
}
