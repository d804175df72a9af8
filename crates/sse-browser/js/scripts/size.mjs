// Prints the size of what a page loads, minified, as one file, and gzipped. Fails over budget.

import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const folder = new URL("..", import.meta.url).pathname;

/** Budgets in bytes; 1 KB is 1024 bytes. */
const BUDGETS = { client: 9 * 1024, hook: 2 * 1024 };

async function size(entry) {
  const options = { bundle: true, minify: true, format: "esm", target: "es2022", write: false, external: ["react"] };
  const { outputFiles } = await build({ ...options, entryPoints: [folder + entry] });
  return { minified: outputFiles[0].contents.length, gzipped: gzipSync(outputFiles[0].contents, { level: 9 }).length };
}

const client = await size("src/client.js");
const all = await size("src/react.js");
const rows = [
  { what: "client, with sharing", ...client, budget: BUDGETS.client },
  { what: "hooks, in addition", minified: all.minified - client.minified, gzipped: all.gzipped - client.gzipped, budget: BUDGETS.hook },
];
console.table(Object.fromEntries(rows.map(({ what, ...row }) => [what, row])));
const over = rows.filter((row) => row.gzipped > row.budget);
for (const { what, gzipped, budget } of over) console.error(`${what}: ${gzipped} bytes are more than ${budget}`);
process.exitCode = over.length ? 1 : 0;
