// What each field contributes: how the answer differs from that of the same row with the field at its median.
import { barred, folded, measure, table } from "./answer.js";
import { element, find, text } from "./dom.js";
import { ask } from "./service.js";

const MAX_ROWS = Number(document.querySelector("meta[name=max-rows]").content);

/** Asks for the row with one field after the other at its median, and draws the differences. */
export async function drawContributions(form, values, prediction, target, signal) {
  find("contributions").hidden = false;
  const moved = form.fields.map((field, place) => ({ field, place, value: values[place] }));
  const fields = moved.filter(({ field, value }) => value !== field.median);
  const rows = fields.map(({ field, place }) => form.row(values.with(place, field.median)));
  const others = await predictAll(rows, signal);
  const here = measure(prediction, prediction.label);
  const changes = fields.map((field, place) => ({ ...field, change: here - measure(others[place], prediction.label) }));
  changes.sort((one, other) => Math.abs(other.change) - Math.abs(one.change));
  const what = prediction.probabilities ? `the probability of ${text(prediction.label)}, in percentage points` : target.name;
  find("contributions-says").textContent = changes.length
    ? `How far each value moves ${what}, beside the same row with that field at its median.`
    : "Every field is at its median. Change some and predict again.";
  find("changes").replaceChildren(...(changes.length ? draw(changes, prediction.probabilities ? points : brief) : []));
}

/** Predicts any number of rows, in as many requests as the service wants. */
async function predictAll(rows, signal) {
  const predictions = [];
  for (let first = 0; first < rows.length; first += MAX_ROWS) {
    const { document } = await ask("predict", { rows: rows.slice(first, first + MAX_ROWS) }, signal);
    predictions.push(...document.predictions);
  }
  return predictions;
}

function draw(changes, show) {
  const most = Math.abs(changes[0].change) || 1;
  const rows = changes.map(({ field, value, change }) => {
    const values = element("span", { className: "values" }, `${text(value)} in place of ${text(field.median)}`);
    const name = element("th", { scope: "row" }, field.column.name, values);
    const signed = change ? `${change < 0 ? "−" : "+"}${show(Math.abs(change))}` : "0";
    return element("tr", {}, name, barred(`signed ${change < 0 ? "less" : "more"}`, Math.abs(change) / most, signed));
  });
  return folded(rows, (shown) => table("bars changes", "Change by field", ["Field", "Change"], shown), "fields");
}

/** A difference of values. */
const brief = (change) => text(Number(change.toPrecision(3)));

/** A difference of probabilities. */
const points = (change) => (100 * change).toFixed(change < 0.0995 ? 2 : 1);
