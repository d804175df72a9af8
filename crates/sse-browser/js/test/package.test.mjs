// Tests of the ways in which an app takes the package.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { build } from "esbuild";

const run = promisify(execFile);
const root = new URL("..", import.meta.url).pathname;

async function folder(t) {
  const folder = await mkdtemp(join(tmpdir(), "package-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Packs a copy of the package as it is in the repository, with nothing installed. */
async function pack(t) {
  const to = await folder(t);
  const copy = join(to, "copy");
  await cp(root, copy, { recursive: true, filter: (path) => !path.includes("node_modules") });
  const { stdout } = await run("npm", ["pack", "--json", "--offline", "--pack-destination", to], { cwd: copy });
  const [{ filename, files }] = JSON.parse(stdout);
  return { archive: join(to, filename), files: files.map(({ path }) => path) };
}

/** Creates an app. A function puts the package into its `node_modules`. */
async function createApp(t, install) {
  const app = await folder(t);
  await mkdir(join(app, "node_modules/@trpc"), { recursive: true });
  await mkdir(join(app, "node_modules/@types"));
  for (const name of ["@trpc/server", "react", "@types/react", "csstype"]) {
    await symlink(join(root, "node_modules", name), join(app, "node_modules", name)).catch(() => {});
  }
  await install(join(app, "node_modules/sse-browser"));
  await writeFile(join(app, "package.json"), '{ "type": "module" }');
  await writeFile(join(app, "app.ts"), `
    import { createSSE, type SSEMessage } from "sse-browser";
    import { type AppRouter } from "sse-browser/app-router";
    import { useSSE, useNotifications } from "sse-browser/react";
    import { createHooks } from "sse-browser/hooks";
    import { createNotifications } from "sse-browser/notifications";
    import { createParser } from "sse-browser/parser";
    export type Procedures = AppRouter["sse"];
    const client = createSSE<{ order: { total: number } }>();
    client.on("order", ({ data }) => { const total: number = data.total; return void total; });
    // @ts-expect-error: declarations that are missing would make everything any
    client.getSnapshot().state === "opened";
    export const all: unknown[] = [client, useSSE, useNotifications, createHooks, createNotifications, createParser];
    export type Message = SSEMessage;
  `);
  return app;
}

/** Compiles the app, keeping every import that it has, and runs the result. */
async function compileAndRun(app, moduleResolution) {
  const module = moduleResolution === "nodenext" ? "nodenext" : "esnext";
  const options = ["--strict", "--verbatimModuleSyntax", "--target", "es2023", "--lib", "es2023,dom,dom.iterable", "--preserveSymlinks", "--skipLibCheck"];
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [compiler, ...options, "--module", module, "--moduleResolution", moduleResolution, "app.ts"], { cwd: app })
    .catch(({ stdout }) => assert.fail(stdout));
  assert.match(await readFile(join(app, "app.js"), "utf8"), /from "sse-browser\/app-router"/);
  await run(process.execPath, ["--preserve-symlinks", "app.js"], { cwd: app });
}

const unpack = (archive) => async (to) => {
  await mkdir(to);
  await run("tar", ["-xzf", archive, "-C", to, "--strip-components", "1"]);
};

test("the archive needs no installation, and has types and licence", async (t) => {
  const { files } = await pack(t);
  for (const name of ["LICENSE", "README.md", "app-router.js", "app-router.d.ts", "src/client.js", "types/client.d.ts", "types/hooks.d.ts"]) {
    assert.ok(files.includes(name), name);
  }
  assert.ok(!files.some((name) => /^(test|fuzz|react18|scripts)/.test(name)), files.join());
  assert.equal(await readFile(`${root}LICENSE`, "utf8"), await readFile(`${root}../../../LICENSE`, "utf8"));
});

for (const moduleResolution of ["bundler", "nodenext"]) {
  test(`an app compiles and runs with the archive (${moduleResolution})`, async (t) => {
    const { archive } = await pack(t);
    await compileAndRun(await createApp(t, unpack(archive)), moduleResolution);
  });

  test(`an app compiles and runs with the folder (${moduleResolution})`, async (t) => {
    await compileAndRun(await createApp(t, (to) => symlink(root, to)), moduleResolution);
  });
}

test("a bundler takes the import of a type alone", async (t) => {
  const { archive } = await pack(t);
  const app = await createApp(t, unpack(archive));
  for (const tsconfigRaw of [{}, { compilerOptions: { verbatimModuleSyntax: true } }]) {
    await build({ entryPoints: [join(app, "app.ts")], bundle: true, write: false, format: "esm", external: ["react"], tsconfigRaw });
  }
});
