// One field of the form: a label, a control of the column's kind, a hint, and what is wrong with its value.
import { element, text } from "./dom.js";
import { median, moment } from "./median.js";

const MOST_OPTIONS = 12;
const NONE = "null";

export class Field {
  constructor(column, id) {
    this.column = column;
    this.median = median(column);
    this.control = CONTROLS[column.kind](column, id);
    const { target, hint, group } = this.control;
    target.id = id;
    target.setAttribute("aria-describedby", `${id}-hint ${id}-wrong`);
    this.hint = element("p", { className: "hint", id: `${id}-hint` }, hint);
    this.wrong = element("p", { className: "wrong", id: `${id}-wrong` });
    const named = { className: "label", id: `${id}-label` };
    const label = group ? element("span", named, column.name) : element("label", { ...named, htmlFor: id }, column.name);
    const head = element("div", { className: "head" }, label);
    this.none = column.nullable && this.control.withoutNull ? this.#makeNone(head) : null;
    this.element = element("div", { className: "field" }, head, ...this.control.nodes, this.hint, this.wrong);
    this.element.addEventListener("input", () => this.#changed());
  }

  /** The value as JSON has it; nothing where it is none, undefined where it cannot be one. */
  read() {
    return this.none?.checked ? null : this.control.read();
  }

  write(value) {
    if (this.none) this.none.checked = value === null || value === undefined;
    this.control.write(value ?? null);
    this.#changed();
  }

  /** Says what is wrong with the value; an empty text: nothing. */
  mark(wrong) {
    this.wrong.textContent = wrong;
    if (wrong) this.control.target.setAttribute("aria-invalid", "true");
    else this.control.target.removeAttribute("aria-invalid");
  }

  focus() {
    (this.control.focusable?.() ?? this.control.target).focus();
  }

  #changed() {
    this.mark("");
    if (this.none) this.control.target.disabled = this.none.checked;
    const remark = this.control.remark?.(this.read()) ?? "";
    this.hint.textContent = remark || this.control.hint;
    this.hint.classList.toggle("remark", remark !== "");
  }

  #makeNone(head) {
    const box = element("input", { type: "checkbox", "aria-label": `none for ${this.column.name}` });
    head.append(element("label", { className: "none" }, box, "none"));
    return box;
  }
}

const CONTROLS = { numeric, categorical, boolean, datetime };

function numeric({ minimum, maximum, integer }) {
  const target = element("input", { type: "number", step: integer ? "1" : "any", inputMode: integer ? "numeric" : "decimal" });
  const known = minimum !== null && maximum !== null;
  if (known) Object.assign(target, { min: minimum, max: maximum });
  const outside = (value) => known && typeof value === "number" && (value < minimum || value > maximum);
  return {
    target,
    nodes: [target],
    hint: known ? `${text(minimum)} to ${text(maximum)}` : "",
    withoutNull: true,
    read: () => (target.validity.badInput ? undefined : target.value === "" ? null : Number(target.value)),
    write: (value) => (target.value = value ?? ""),
    remark: (value) => (outside(value) ? `outside ${text(minimum)} to ${text(maximum)} seen in training` : ""),
  };
}

function datetime(column) {
  const target = element("input", { type: "text", spellcheck: false, autocomplete: "off" });
  const known = column.minimum !== null && column.maximum !== null;
  const limits = [column.minimum, column.maximum].map((limit) => moment(limit, column)?.slice(0, 16).replace("T", " "));
  return {
    target,
    nodes: [target],
    hint: known ? `${limits.join(" to ")}, UTC` : "ISO 8601, UTC",
    withoutNull: true,
    read: () => target.value.trim() || null,
    write: (value) => (target.value = value ?? ""),
  };
}

function boolean({ name, nullable }, id) {
  const radios = [true, false, ...(nullable ? [null] : [])].map((value) => [value, element("input", { type: "radio", name: id })]);
  const labels = radios.map(([value, radio]) => element("label", {}, radio, element("span", {}, text(value))));
  const target = element("div", { className: "choice", role: "radiogroup", "aria-labelledby": `${id}-label` }, ...labels);
  return {
    target,
    nodes: [target],
    hint: "",
    group: true,
    read: () => radios.find(([, radio]) => radio.checked)?.[0] ?? null,
    write: (value) => radios.forEach(([own, radio]) => (radio.checked = own === truth(value))),
    focusable: () => (radios.find(([, radio]) => radio.checked) ?? radios[0])[1],
  };
}

/** A table may have its truths as texts or as 0 and 1. */
const truth = (value) => (value === null ? null : value === 1 || String(value).trim().toLowerCase() === "true");

function categorical(column, id) {
  return column.vocabulary.length > MOST_OPTIONS ? typed(column, id) : chosen(column);
}

/** One of a few categories. */
function chosen({ vocabulary, nullable }) {
  const option = (value) => element("option", { value: JSON.stringify(value) }, text(value));
  const target = element("select", {}, ...vocabulary.map(option), ...(nullable ? [option(null)] : []));
  const write = (value) => {
    const wanted = JSON.stringify(value === null ? null : String(value));
    if (![...target.options].some((one) => one.value === wanted)) target.append(option(JSON.parse(wanted)));
    target.value = wanted;
  };
  return { target, nodes: [target], hint: "", read: () => JSON.parse(target.value || NONE), write };
}

/** One of many categories, or any other. */
function typed({ vocabulary }, id) {
  const list = element("datalist", { id: `${id}-list` }, ...vocabulary.map((value) => element("option", { value })));
  const target = element("input", { type: "text", list: list.id, spellcheck: false, autocomplete: "off" });
  const known = new Set(vocabulary);
  return {
    target,
    nodes: [target, list],
    hint: `${vocabulary.length} known values`,
    withoutNull: true,
    read: () => (target.value === "" && !known.has("") ? null : target.value),
    write: (value) => (target.value = value ?? ""),
    remark: (value) => (value !== null && !known.has(value) ? "not seen in training" : ""),
  };
}
