// docs/errors.md is a promise to everybody who branches on a code: it lists every code with its status.

import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

import { ERROR_CODES, SluiceError } from "./errors.ts";

const document = readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");
/** The rows of the section on codes: the code, and the status of a code that a port answers with. */
const rows = [...(document.split(/^## /m)[1] ?? "").matchAll(/^\| `(\w+)` \| (?:(\d{3}) \|)?/gm)];

test("docs/errors.md lists every code once, and no other", () => {
  expect(rows.map(([, code = ""]) => code).toSorted()).toEqual(Object.keys(ERROR_CODES).toSorted());
});

test("docs/errors.md has the status of every code that a port answers with", () => {
  const documented = Object.fromEntries(rows.flatMap(([, code, status]) => (status ? [[code, Number(status)]] : [])));
  const ofProcesses = [
    "database_in_use",
    "database_not_empty",
    "invalid_backup",
    "invalid_configuration",
    "invalid_secret",
    "master_key_mismatch",
    "migration_pending",
    "relay_changed",
    "schema_newer",
  ];
  const answered = Object.entries(ERROR_CODES).filter(([code]) => !ofProcesses.includes(code));
  expect(documented).toEqual(Object.fromEntries(answered.map(([code, { status }]) => [code, status])));
});

test("an error has its status, its faults and its cause", () => {
  const cause = new Error("down");
  const error = new SluiceError("unavailable", "Later", { retryAfterSeconds: 5, cause });
  expect(error).toMatchObject({ status: 503, code: "unavailable", retryAfterSeconds: 5, faults: [], cause });
});
