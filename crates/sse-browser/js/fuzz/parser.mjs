// Fuzzes the parser: node fuzz/parser.mjs [--seconds N] [--seed N] [--kept DIR] [--findings DIR]
//
// The fuzzer derives inputs from the corpus. Inputs with new behaviour are kept and changed
// further. It exits with 1 at the first finding, which is reduced and written to the folder of
// findings.

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { check } from "./property.mjs";

const { values } = parseArgs({ options: {
  seconds: { type: "string", default: "60" },
  seed: { type: "string", default: String(Date.now() % 2147483647) },
  kept: { type: "string" },
  findings: { type: "string", default: "." },
} });

const WORDS = ["data", "event", "id", "retry", ":", ": ", " ", "\n", "\n\n", "\r", "\r\n", "\r\r", "\0", "\ufeff", "\u00ef\u00bb\u00bf",
  "\u0085", "\u2028", "data:", "data: x\n\n", "id: 7\n", "id\n", "id: \0\n", "retry: 10\n", "retry: 1x\n", "event: y\n", ": c\n", "0", "9999999999999999999999"]
  .map((word) => new TextEncoder().encode(word)).concat([Uint8Array.of(0xff), Uint8Array.of(0xe2, 0x82), Uint8Array.of(0xef, 0xbb), Uint8Array.of(0xf0, 0x9f)]);
const LONGEST = 2048, MOST_KEPT = 2000;

let state = Number(values.seed) || 1;
const random = (most) => (state = (state * 48271) % 2147483647) % most;
const pick = (list) => list[random(list.length)];

/** @param {Uint8Array} bytes */
function change(bytes, others) {
  const at = random(bytes.length + 1), end = Math.min(bytes.length, at + 1 + random(16));
  const replaced = (from, to, middle) => Buffer.concat([bytes.subarray(0, from), middle, bytes.subarray(to)]);
  switch (random(7)) {
    case 0: return replaced(at, at, pick(WORDS));
    case 1: return replaced(at, end, new Uint8Array());
    case 2: return replaced(at, end, pick(WORDS));
    case 3: return replaced(at, at, bytes.subarray(at, end));
    case 4: return replaced(at, Math.min(at + 1, bytes.length), Uint8Array.of(random(256)));
    case 5: { const other = pick(others); return replaced(at, bytes.length, other.subarray(random(other.length + 1))); }
    default: return Buffer.concat(Array.from({ length: 1 + random(20) }, () => pick(WORDS)));
  }
}

/** Returns a signature of a run, which detects inputs with new behaviour. */
function shape(observed) {
  const few = (number) => Math.min(number, 4);
  const text = (value) => value === null ? "-" : `${few(value.length)}${value.includes("\n") ? "n" : ""}${value.includes("\ufffd") ? "?" : ""}`;
  return observed.slice(-6).map(([kind, ...rest]) => kind[0] + rest.map((value) => typeof value === "string" || value === null ? text(value) : few(value)).join()).join("|")
    + `#${few(observed.length)}`;
}

function fails(bytes) {
  try { check(bytes); } catch (error) { return error; }
}

/** Removes all parts that the finding does not need. */
function shrink(bytes) {
  for (let size = bytes.length >> 1; size > 0; size >>= 1) {
    for (let start = 0; start < bytes.length;) {
      const less = Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + size)]);
      if (fails(less)) bytes = less; else start += size;
    }
  }
  return bytes;
}

const name = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);

async function inputs(folder) {
  await mkdir(folder, { recursive: true });
  return Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file))));
}

const corpus = fileURLToPath(new URL("corpus", import.meta.url));
const shared = JSON.parse(await readFile(new URL("../../../sse-testkit/corpus/event-streams.json", import.meta.url), "utf8"));
const pool = [...await inputs(corpus), ...(values.kept ? await inputs(values.kept) : []),
  ...shared.map(({ stream }) => Buffer.from(stream.join(""), "latin1"))];
const shapes = new Set();
const end = Date.now() + Number(values.seconds) * 1000;
let executions = 0, next = 0;

while (executions % 256 !== 0 || Date.now() < end) {
  const isSeed = next < pool.length && executions < pool.length;
  let input = isSeed ? pool[next++] : pick(pool);
  if (!isSeed) for (let left = 1 + random(4); left > 0; left--) input = change(input, pool);
  input = input.subarray(0, LONGEST);
  executions++;
  try {
    const seen = shape(check(input));
    if (!shapes.has(seen)) {
      shapes.add(seen);
      if (!isSeed && shapes.size < MOST_KEPT) {
        pool.push(input);
        if (values.kept) await writeFile(join(values.kept, name(input)), input);
      }
    }
  } catch {
    const small = shrink(input);
    await mkdir(values.findings, { recursive: true });
    const file = join(values.findings, name(small));
    await writeFile(file, small);
    console.error(fails(small), `\n${JSON.stringify(small.toString("latin1"))}\nseed ${values.seed}, written to ${file}`);
    process.exitCode = 1;
    break;
  }
}
console.error(`stat::number_of_executed_units: ${executions}`);
