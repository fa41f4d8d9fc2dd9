// Small helpers for the page's elements and for text.

export const $ = (id) => document.getElementById(id);

export const field = (name) => document.querySelector(`[name=${name}]`);

export const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** `value` with three significant digits. */
export function threeDigits(value) {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return number(value, Math.min(digits, 6));
}

export function duration(seconds) {
  if (seconds < 120) return `${number(Math.ceil(seconds))} s`;
  return seconds < 7200 ? `${number(seconds / 60)} min` : `${number(seconds / 3600, 1)} h`;
}

/** An element with properties and children; a property with a dash is an attribute. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

export function svg(tag, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** `text` as nodes, with flags and addresses set as code. */
export function withCode(text) {
  return text.split(/((?:--|chrome:\/\/|#enable)[\w#/=-]+)/).map((part, place) => {
    if (place % 2 === 0) return part;
    return element("code", { className: part.startsWith("--") ? "flag" : "" }, part);
  });
}

/** Copies `text`; where the browser does not let a page copy, shows it below `status`. */
export async function copy(text, status) {
  try {
    await navigator.clipboard.writeText(text);
    status.textContent = "Copied.";
  } catch {
    status.textContent = "This browser does not let pages copy: select the text below instead.";
    status.append(element("pre", {}, text));
  }
}

/** Offers `text` as a file under the link `link`. */
export function offerFile(link, name, type, text) {
  if (link.href) URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
}

/** Hands files that are dropped on `zone` or chosen with `pick` to `take`. */
export function dropZone(zone, pick, take) {
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take([...event.dataTransfer.files]);
  });
  pick.addEventListener("change", () => {
    const files = [...pick.files];
    // So that the same file can be chosen again.
    pick.value = "";
    take(files);
  });
}
