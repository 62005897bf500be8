import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { apiDocument } from "./api-document.ts";

test("the page about the wire says what the protos say", async () => {
  expect(await readFile(join(import.meta.dirname, "../../docs/api.md"), "utf8")).toBe(await apiDocument());
}, 60_000);
