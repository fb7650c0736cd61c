// Draws an answer: probabilities by class, or where a value lies between those of the training.
import { DIGITS, element, find, percent, milliseconds, text } from "./dom.js";

const MOST_BARS = 8;
const LONG = 18;

/** What a prediction comes to: the probability of one class, or the value. */
export function measure(prediction, label) {
  if (!prediction.probabilities) return prediction.value;
  return prediction.probabilities[keyOf(prediction.probabilities, label)];
}

/** The name that a class has among the probabilities: 1 may be "1" or "1.0". */
function keyOf(probabilities, label) {
  const names = Object.keys(probabilities);
  return names.find((name) => name === String(label)) ?? names.find((name) => Number(name) === label);
}

export function drawAnswer(prediction, target, took, timing) {
  find("refused").textContent = "";
  find("side").scrollTop = 0;
  const share = prediction.probabilities && measure(prediction, prediction.label);
  const told = prediction.probabilities ? text(prediction.label) : text(prediction.value, digitsOf(target));
  const outcome = element("span", { className: "outcome" }, told);
  outcome.classList.toggle("long", outcome.textContent.length > LONG);
  find("verdict").replaceChildren(
    outcome,
    element("span", { className: "of" }, prediction.probabilities ? `${percent(share)} likely` : target.name),
  );
  const drawing = prediction.probabilities ? classes(prediction) : range(prediction.value, target);
  find("drawing").replaceChildren(...drawing);
  const steps = [["round trip", took], ...Object.entries(timing).map(([step, ms]) => [step.replace(/_ms$/, ""), ms])];
  find("latency").replaceChildren(
    ...steps.map(([step, ms]) => element("div", {}, element("dt", {}, step), element("dd", {}, milliseconds(ms)))),
  );
}

export function drawRefusal(sentences) {
  find("verdict").replaceChildren();
  find("drawing").replaceChildren();
  find("latency").replaceChildren();
  find("refused").textContent = sentences.join(" ");
}

function classes({ probabilities, label }) {
  const best = keyOf(probabilities, label);
  const ordered = Object.entries(probabilities).sort(([, one], [, other]) => other - one);
  const rows = ordered.map(([name, share]) => {
    const row = element("tr", {}, element("th", { scope: "row" }, text(name)), barred("bar", share, percent(share)));
    row.classList.toggle("best", name === best);
    return row;
  });
  return folded(rows, (shown) => table("bars", "Probability by class", ["Class", "Probability"], shown), "classes");
}

/** A cell with a bar, for the eye, and the same in figures. */
export function barred(className, share, figure) {
  const bar = element("span", { className, "aria-hidden": "true" });
  bar.style.setProperty("--share", share);
  return element("td", {}, element("div", {}, bar, element("span", { className: "number" }, figure)));
}

/** The first rows as a table, and the rest of them in one that opens. */
export function folded(rows, make, what) {
  const [first, rest] = [rows.slice(0, MOST_BARS), rows.slice(MOST_BARS)];
  if (!rest.length) return [make(first)];
  return [make(first), element("details", {}, element("summary", {}, `${rest.length} more ${what}`), make(rest))];
}

export function table(className, caption, heads, rows) {
  return element(
    "table",
    { className },
    element("caption", {}, caption),
    element("colgroup", {}, element("col"), element("col")),
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows),
  );
}

/** Significant digits that tell values apart by a thousandth of their range, however far from 0 that lies. */
function digitsOf({ minimum, maximum }) {
  const share = (maximum - minimum) / Math.max(Math.abs(minimum), Math.abs(maximum));
  return share > 0 ? Math.min(Math.max(DIGITS, Math.ceil(3 - Math.log10(share))), 17) : DIGITS;
}

function range(value, target) {
  const { minimum, maximum, bins } = target;
  if (minimum === null || maximum === null) return [];
  const place = (at) => Math.min(Math.max((at - minimum) / (maximum - minimum || 1), 0), 1);
  const mark = (className, at) => {
    const made = element("span", { className });
    made.style.setProperty("--place", place(at));
    return made;
  };
  const track = element("div", { className: "track", "aria-hidden": "true" });
  track.append(...bins.map((edge) => mark("edge", edge)), mark("marker", value));
  const [low, high] = [minimum, maximum].map((end) => text(end, digitsOf(target)));
  const ends = element("div", { className: "ends" }, element("span", {}, low), element("span", {}, high));
  return [track, ends, element("p", { className: "says" }, standing(value, target, `${low} to ${high}`))];
}

function standing(value, { minimum, maximum, bins }, ends) {
  const range = `${ends} in the training table`;
  if (value < minimum || value > maximum) return `Outside the range: ${range}.`;
  const [below, all] = [bins.filter((edge) => edge <= value).length, bins.length + 1];
  const lower = [below, below + 1].map((bin) => Math.round((100 * bin) / all)).join(" to ");
  return `The range is ${range}${bins.length ? `; about ${lower}% of its values are lower` : ""}.`;
}
