// Results in links: a document, compressed, in the fragment of the page's address, which no browser sends to a server.

import { svg } from "./dom.js";

/** Before bytes in URL-safe base 64. */
const MARK = "#r=";
/** Before bytes as decimal digits, of which a QR code holds more than of letters. */
const MARK_OF_DIGITS = "#d=";
/** The longest fragment that is read; links of this page are a tenth of it. */
const MOST_CHARACTERS = 100_000;
/** The largest document that is unpacked. */
const MOST_BYTES = 4_000_000;
/** Bytes of a group of digits, and its digits: the least that tell as many bytes apart, by their number. */
const GROUP = 7;
const DIGITS = [0, 3, 5, 8, 10, 13, 15, 17];

/** All bytes of `stream`; an error if there are more than `most`. */
async function bytesOf(stream, most) {
  const reader = stream.getReader();
  const parts = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel();
      throw new RangeError("too large");
    }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function base64Url(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromBase64Url(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function decimal(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; start += GROUP) {
    const group = bytes.subarray(start, start + GROUP);
    const value = group.reduce((before, byte) => before * 256n + BigInt(byte), 0n);
    text += String(value).padStart(DIGITS[group.length], "0");
  }
  return text;
}

function fromDecimal(text) {
  const bytes = [];
  for (let start = 0; start < text.length; start += DIGITS[GROUP]) {
    const digits = text.slice(start, start + DIGITS[GROUP]);
    const count = DIGITS.indexOf(digits.length);
    if (count < 1 || !/^[0-9]+$/.test(digits)) throw new SyntaxError("not digits of whole bytes");
    const value = BigInt(digits);
    for (let place = count - 1; place >= 0; place--) bytes.push(Number((value >> BigInt(8 * place)) & 255n));
  }
  return Uint8Array.from(bytes);
}

async function packed(text) {
  return bytesOf(new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw")), MOST_BYTES);
}

const here = () => `${location.origin}${location.pathname}`;

/** The address of this page that opens `text` as a result. */
export const linkTo = async (text) => `${here()}${MARK}${base64Url(await packed(text))}`;

/** The same address for a QR code, which holds digits in less room. */
export const scannedLinkTo = async (text) => `${here()}${MARK_OF_DIGITS}${decimal(await packed(text))}`;

/** Whether the fragment `hash` claims to hold a result. */
export const holdsResult = (hash) => hash.startsWith(MARK) || hash.startsWith(MARK_OF_DIGITS);

/** The document in the fragment `hash`; an error with a sentence for the visitor if there is none. */
export async function documentIn(hash) {
  const text = hash.slice(MARK.length);
  if (text.length > MOST_CHARACTERS) {
    throw new Error(`This link is too large: ${text.length} characters, where a result has at most ${MOST_CHARACTERS}.`);
  }
  try {
    const bytes = hash.startsWith(MARK) ? fromBase64Url(text) : fromDecimal(text);
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new TextDecoder("utf-8", { fatal: true }).decode(await bytesOf(unpacked, MOST_BYTES));
  } catch (error) {
    const large = error instanceof RangeError;
    throw new Error(large
      ? "This link is too large: what it holds is no result of this program."
      : "This link is damaged: a part of it is missing or was changed on the way. Ask for it again, as a file perhaps.");
  }
}

/** A QR code as a drawing; `code` as the module makes it. */
export function drawCode({ width, modules }) {
  const quiet = 4;
  const side = width + 2 * quiet;
  let path = "";
  for (let place = 0; place < modules.length; place++) {
    if (modules[place] === "1") path += `M${quiet + (place % width)} ${quiet + Math.floor(place / width)}h1v1h-1z`;
  }
  const drawing = svg("svg", { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": "QR code of this result" });
  drawing.append(svg("rect", { width: side, height: side, fill: "#fff" }));
  drawing.append(svg("path", { d: path, fill: "#000", "shape-rendering": "crispEdges" }));
  return drawing;
}
