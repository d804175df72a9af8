// Checks that the committed declarations are those of the source: an app that takes the package
// from its folder has nothing that could make them.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "types-"));
try {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [compiler, "--project", "tsconfig.build.json", "--outDir", folder], { cwd: root, stdio: "inherit" });
  const read = (from) => JSON.stringify(readdirSync(from).sort().map((name) => [name, readFileSync(join(from, name), "utf8")]));
  if (read(folder) !== read(join(root, "types"))) {
    console.error("the declarations in types/ are not those of src/: run `npm run types`");
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
