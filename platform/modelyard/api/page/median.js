// The middle value of each column, from the bins and shares that the contract has of the training table.

/** The middle value of a column: the median, the most frequent category, the more frequent truth. */
export function median(column) {
  if (column.kind === "categorical") return column.vocabulary[0] ?? null;
  if (column.kind === "boolean") return (column.shares[2] ?? 0) > (column.shares[1] ?? 0);
  const middle = middleOf(column);
  if (middle === null || column.kind === "numeric") return middle;
  return moment(middle, column);
}

/** The lower edge of the bin that half of the rows are reached in: edges are values of the column. */
function middleOf({ bins, shares, minimum, maximum, integer }) {
  if (minimum === null || maximum === null) return null;
  const known = shares.slice(1);
  if (known.length !== bins.length + 1) {
    const half = (minimum + maximum) / 2;
    return bins.length ? decimal(bins[bins.length >> 1]) : integer ? Math.round(half) : half;
  }
  const half = known.reduce((sum, share) => sum + share, 0) / 2 - 1e-9;
  let reached = 0;
  const bin = known.findIndex((share) => (reached += share) >= half);
  return bin > 0 ? decimal(bins[bin - 1]) : minimum;
}

/** The shortest number that is the same in 32 bits, which edges were rounded to. */
function decimal(value) {
  for (let digits = 1; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}

const DAY = 86400;

/** Seconds since 1970 as ISO 8601 in UTC, as fine as the column: days where its limits are days, else minutes. */
export function moment(seconds, { minimum, maximum }) {
  const step = minimum % DAY === 0 && maximum % DAY === 0 ? DAY : 60;
  const rounded = Math.min(Math.max(Math.round(seconds / step) * step, minimum), maximum);
  const date = new Date(rounded * 1000);
  if (Number.isNaN(date.getTime())) return null;
  return step === DAY ? date.toISOString().slice(0, 10) : date.toISOString().replace(/\.\d+Z$/, "Z");
}
