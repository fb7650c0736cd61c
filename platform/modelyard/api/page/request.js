// The request as curl and as Python, to copy.
import { find } from "./dom.js";
import { address, hasKey } from "./service.js";

/** Shows the request that predicts a row. */
export function showRequest(row) {
  find("curl").textContent = curl(row);
  find("python").textContent = python(row);
  find("key-says").hidden = !hasKey();
}

function curl(row) {
  const lines = [`curl ${quoted(address("predict"))}`, "-H 'Content-Type: application/json'"];
  if (hasKey()) lines.push('-H "Authorization: Bearer $MODELYARD_KEY"');
  lines.push(`-d ${quoted(JSON.stringify({ rows: [row] }))}`);
  return lines.join(" \\\n  ");
}

/** A text as one word of a POSIX shell. */
const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

function python(row) {
  const values = Object.entries(row).map(([name, value]) => `    ${JSON.stringify(name)}: ${literal(value)},\n`);
  const headers = ['"Content-Type": "application/json"'];
  if (hasKey()) headers.push('"Authorization": "Bearer " + os.environ["MODELYARD_KEY"]');
  return `import json
${hasKey() ? "import os\n" : ""}import urllib.request

row = {
${values.join("")}}
request = urllib.request.Request(
    ${JSON.stringify(address("predict"))},
    json.dumps({"rows": [row]}).encode(),
    {${headers.join(", ")}},
)
with urllib.request.urlopen(request) as answer:
    print(json.load(answer)["predictions"][0])
`;
}

/** A value of JSON as Python has it. */
const literal = (value) => WORDS.get(value) ?? JSON.stringify(value);
const WORDS = new Map([[null, "None"], [true, "True"], [false, "False"]]);

/** Copies a text and says so on the button. */
async function copy(button, source) {
  let done = true;
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // a page that came over plain HTTP has no clipboard
    getSelection().selectAllChildren(source);
    done = document.execCommand("copy");
  }
  button.textContent = done ? "Copied" : "Press Ctrl+C";
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

for (const name of ["curl", "python"]) {
  const button = find(`copy-${name}`);
  button.addEventListener("click", () => copy(button, find(name)));
}
