// The strip of this replica: differences of its counts over the last minute, while the page is seen.
import { find, milliseconds, percent, text } from "./dom.js";
import { send } from "./service.js";

const EVERY_MS = 2000;
const WINDOW_MS = 60000;

// by replica, because the next answer may be another one's
const histories = new Map();

export async function follow() {
  if (document.visibilityState === "visible") await look();
  setTimeout(follow, EVERY_MS);
}

async function look() {
  try {
    const { document: counts } = await send("live");
    const now = { at: performance.now(), counts };
    const history = (histories.get(counts.replica) ?? []).filter(({ at }) => now.at - at <= WINDOW_MS);
    histories.set(counts.replica, [...history, now]);
    if (history.length) show(history[0], now);
  } catch {
    for (const figure of ["rate", "errors", "p99"]) find(`live-${figure}`).textContent = "–";
  }
}

function show(before, now) {
  const seconds = (now.at - before.at) / 1000;
  const since = (code) => (now.counts.requests[code] ?? 0) - (before.counts.requests[code] ?? 0);
  const requests = Object.keys(now.counts.requests).reduce((sum, code) => sum + since(code), 0);
  const p99 = quantile(0.99, before.counts.buckets, now.counts.buckets);
  find("live-window").textContent = seconds > 55 ? "last minute" : `last ${Math.round(seconds)} s`;
  find("live-rate").textContent = `${text(Number((requests / seconds).toPrecision(2)))} / s`;
  find("live-errors").textContent = requests ? percent(since("5xx") / requests) : "–";
  find("live-p99").textContent = p99 === null ? "–" : milliseconds(1000 * p99);
}

/** The seconds that this share of requests took at most, by linear interpolation as Prometheus does it. */
function quantile(share, before, now) {
  const counts = now.map(({ seconds, requests }, place) => [seconds, requests - (before[place]?.requests ?? 0)]);
  const rank = share * (counts.at(-1)?.[1] ?? 0);
  if (rank === 0) return null;
  let [start, below] = [0, 0];
  for (const [bound, count] of counts) {
    if (bound === null) break;
    if (count >= rank) return start + ((bound - start) * (rank - below)) / (count - below);
    [start, below] = [bound, count];
  }
  return start;
}
