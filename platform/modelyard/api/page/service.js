// Asks the service, with the key that a person gave where it wants one.
import { find } from "./dom.js";

const STORE = "modelyard-key";

let key = sessionStorage.getItem(STORE) ?? "";
let asked = null; // the answer of the open dialog, which several requests may wait for

/** What the service refused: a problem detail (RFC 9457); status 0 where it did not answer at all. */
export class Problem extends Error {
  constructor(status, detail, errors = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

export const hasKey = () => key !== "";

/** The full address of a path of the API. */
export const address = (path) => new URL(`api/v1/${path}`, document.baseURI).href;

/** Sends one request; returns the document that it was answered with, and the milliseconds that this took. */
export async function send(path, body, signal) {
  const headers = { ...(key && { Authorization: `Bearer ${key}` }), ...(body && { "Content-Type": "application/json" }) };
  const options = { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), cache: "no-store", signal };
  const began = performance.now();
  try {
    const answer = await fetch(address(path), options);
    const document = await answer.json();
    if (answer.ok) return { document, took: performance.now() - began };
    throw new Problem(answer.status, document.detail ?? `The service answered ${answer.status}.`, document.errors);
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    throw new Problem(0, "The service does not answer. Does it still run?");
  }
}

/** Sends a request, and asks for a key as often as the service wants another one. */
export async function ask(path, body, signal) {
  for (;;) {
    const used = key;
    try {
      return await send(path, body, signal);
    } catch (problem) {
      if (problem.status !== 401) throw problem;
      if (key === used) await (asked ??= askForKey(used !== ""));
    }
  }
}

/** Forgets the key; the next request asks for one. */
export function forgetKey() {
  key = "";
  sessionStorage.removeItem(STORE);
  find("forget").hidden = true;
}

/** Lets a person type a key; fails where they would rather not. */
function askForKey(refused) {
  const dialog = find("key");
  find("key-wrong").textContent = refused ? "The service does not know this key." : "";
  find("key-text").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve, reject) => {
    const closed = () => {
      asked = null;
      if (dialog.returnValue !== "use") {
        reject(new Problem(401, "The service needs a key."));
        return;
      }
      key = find("key-text").value;
      sessionStorage.setItem(STORE, key);
      showKey();
      resolve();
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}

/** Shows what only matters where keys are needed. */
function showKey() {
  find("forget").hidden = key === "";
  // a link cannot carry a key
  find("docs").hidden = true;
}

if (key) showKey();
find("forget").addEventListener("click", forgetKey);
find("key-cancel").addEventListener("click", () => find("key").close());
