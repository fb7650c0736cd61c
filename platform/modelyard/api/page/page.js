// Puts the page together: loads the contract, then lets a person fill the form and predict.
import { drawAnswer, drawRefusal } from "./answer.js";
import { drawContributions } from "./contributions.js";
import { element, find, text } from "./dom.js";
import { Form } from "./form.js";
import { follow } from "./live.js";
import { showRequest } from "./request.js";
import { ask } from "./service.js";

let form, target, asking;

async function start() {
  find("trouble").hidden = true;
  try {
    const { document: contract } = await ask("contract");
    const { document: list } = await ask("models");
    target = contract.target;
    introduce(list.models[0]);
    form = new Form(contract);
  } catch (problem) {
    find("trouble-text").textContent = problem.message;
    find("trouble").hidden = false;
    return;
  }
  find("columns").hidden = false;
  preview();
  follow();
}

function introduce(model) {
  document.title = `Try ${model.name}`;
  find("kicker").replaceChildren("Predicts ", element("strong", {}, model.target));
  find("name").textContent = model.name;
  const facts = [
    ["version", model.version],
    ["algorithm", model.algorithm],
    [model.metric, model.score === null ? "" : text(model.score)],
    ["trained", model.created_at.slice(0, 10)],
  ].filter(([, value]) => value);
  find("facts").replaceChildren(...facts.map(([name, value]) => element("span", {}, `${name} `, element("b", {}, value))));
}

async function predict() {
  asking?.abort();
  const { signal } = (asking = new AbortController());
  form.clear();
  const values = form.read();
  if (!values) return;
  const row = form.row(values);
  find("answer").setAttribute("aria-busy", "true");
  try {
    const { document: answer, took } = await ask("predict", { rows: [row], timing: true }, signal);
    const [prediction] = answer.predictions;
    drawAnswer(prediction, target, took, answer.timing);
    showRequest(row);
    bringIntoSight(find("answer"));
    await explain(values, prediction, signal);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    refuse(problem);
  } finally {
    if (asking.signal === signal) find("answer").removeAttribute("aria-busy");
  }
}

/** Draws the contributions; without them the answer is still one. */
async function explain(values, prediction, signal) {
  try {
    await drawContributions(form, values, prediction, target, signal);
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    find("changes").replaceChildren();
    find("contributions-says").textContent = problem.message;
  }
}

function refuse(problem) {
  const others = form.mark(problem.errors ?? []);
  const wrong = (problem.errors?.length ?? 0) - others.length;
  const count = wrong === 1 ? "One field needs" : `${wrong} fields need`;
  drawRefusal(wrong ? [`${count} another value.`, ...others] : [problem.message]);
  find("contributions").hidden = true;
  if (!wrong) bringIntoSight(find("answer"));
}

/** Scrolls to the answer where it is below the form, on a narrow window. */
function bringIntoSight(place) {
  if (place.getBoundingClientRect().top < innerHeight * 0.7) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  place.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
}

/** Shows the request of the row as it is now; a field that cannot be read leaves it as it was. */
function preview() {
  const values = form.fields.map((field) => field.read());
  if (!values.includes(undefined)) showRequest(form.row(values));
}

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  predict();
});
find("form").addEventListener("input", preview);
find("fill-median").addEventListener("click", () => (form.fillMedian(), preview()));
find("fill-example").addEventListener("click", () => (form.fillExample(), preview()));
find("again").addEventListener("click", start);
start();
