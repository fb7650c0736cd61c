// Asks by Node's own fetch: node ask.mjs URL COUNT ROW_FILE LONG_FILE.
import { readFileSync } from "node:fs";

const [url, count, rowFile, longFile] = process.argv.slice(2);
const [row, long] = [readFileSync(rowFile), readFileSync(longFile)];
const headers = { "Content-Type": "application/json" };

let errors = 0;
for (let number = 0; number < Number(count); number++) {
  let error = null;
  try {
    const response =
      number % 10 < 4
        ? await fetch(`${url}/api/v1/contract`)
        : await fetch(`${url}/api/v1/predict`, { method: "POST", headers, body: number % 10 < 9 ? row : long });
    const body = await response.text();
    if (response.status !== 200) {
      error = `${response.status} ${body}`;
    }
  } catch (failure) {
    error = `${failure} ${failure.cause ?? ""}`;
  }
  if (error !== null && errors++ < 3) {
    console.error(number, error);
  }
}
console.log(`${count} requests, ${errors} errors`);
