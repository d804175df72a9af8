// Replays the corpus of the parser's fuzzer: the inputs that it kept, and every input that
// ever was a finding.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import test from "node:test";
import { check } from "../fuzz/property.mjs";

test("the parser passes its fuzzer on the corpus", async () => {
  const folder = new URL("../fuzz/corpus/", import.meta.url), names = await readdir(folder);
  assert.ok(names.length >= 30);
  for (const name of names) {
    try {
      check(await readFile(new URL(name, folder)));
    } catch (error) {
      throw new Error(`fuzz/corpus/${name}`, { cause: error });
    }
  }
});
