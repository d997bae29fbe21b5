// @ts-check
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WatchedFile } from "../src/debug/guard/watched-file.mjs";

test("what is written again within a tick of the file system's clock is read again", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "watched-file-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "file");
  const file = new WatchedFile(path, "THE_FILE", (text) => text);
  for (let number = 100; number < 400; number += 1) {
    // In place, so that neither file nor size change.
    writeFileSync(path, String(number));
    assert.equal(file.read(), String(number));
  }
});
