// The form: a field for each column of the contract.
import { find } from "./dom.js";
import { Field } from "./field.js";

export class Form {
  constructor(contract) {
    this.example = new Map(Object.entries(contract.example));
    this.fields = contract.columns.map((column, place) => new Field(column, `field-${place}`));
    find("fields").replaceChildren(...this.fields.map((field) => field.element));
    find("fill-example").hidden = this.example.size === 0;
    this.fillMedian();
  }

  fillMedian() {
    for (const field of this.fields) field.write(field.median);
    find("fill-says").textContent = "Filled with medians, and with the most frequent category of each.";
  }

  fillExample() {
    for (const field of this.fields) field.write(this.example.get(field.column.name));
    find("fill-says").textContent = "Filled with a row of the training table.";
  }

  /** Values by column. Nothing where one cannot be read: its field is marked then. */
  read() {
    const values = this.fields.map((field) => field.read());
    const wrong = this.fields.filter((_, place) => values[place] === undefined);
    for (const field of wrong) field.mark("Expected a number.");
    wrong[0]?.focus();
    return wrong.length ? null : values;
  }

  /** The row of such values, as a request has it. */
  row(values) {
    // assigning would lose a column that is called __proto__
    return Object.fromEntries(this.fields.map((field, place) => [field.column.name, values[place]]));
  }

  /** Marks the fields that the service found wrong; returns the sentences that are of no field. */
  mark(errors) {
    const fields = new Map(this.fields.map((field) => [field.column.name, field]));
    const marked = [];
    const others = errors.filter(({ path, expected, received }) => {
      const field = fields.get(columnOf(path));
      if (!field) return true;
      field.mark(`Expected ${expected}, not ${received}.`);
      marked.push(field);
      return false;
    });
    this.fields.find((field) => marked.includes(field))?.focus();
    return others.map((error) => error.detail);
  }

  clear() {
    for (const field of this.fields) field.mark("");
  }
}

/** The column that a JSON pointer (RFC 6901) into a request leads to. */
function columnOf(path) {
  const [, rows, , name] = path.split("/");
  return rows === "rows" && name !== undefined ? name.replaceAll("~1", "/").replaceAll("~0", "~") : null;
}
