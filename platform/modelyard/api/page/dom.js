/** Finds an element by its id. */
export const find = (id) => document.getElementById(id);

/** Makes an element. Children that are texts stay texts, whatever they hold: a column may have any name. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export const DIGITS = 6;
const percents = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A value for people to read; a number with so many significant digits. */
export function text(value, digits = DIGITS) {
  if (value === null || value === undefined) return "none";
  if (value === "") return "(empty)";
  if (typeof value !== "number") return String(value);
  const plain = value === 0 || (Math.abs(value) >= 1e-4 && Math.abs(value) < 1e12);
  if (!plain) return Number(value.toPrecision(digits)).toExponential();
  return value.toLocaleString("en", { maximumSignificantDigits: digits });
}

/** A share of one for people to read. */
export const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1%" : percents.format(share));

/** Milliseconds for people to read. */
export const milliseconds = (value) =>
  `${new Intl.NumberFormat("en", { maximumSignificantDigits: value < 1000 ? 2 : 4 }).format(value)}\u00a0ms`;
