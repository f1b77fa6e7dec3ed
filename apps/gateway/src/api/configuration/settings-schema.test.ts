// deploy/sluice.schema.json is what the API takes, and the example is a file of it. After a change of the API, write the schema
// again: `npm test -- settings-schema -u`.

import { readFileSync } from "node:fs";

import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { expect } from "vitest";

import { readSettingsFile } from "@sluice/settings-file/settings-file";

import { makeSettingsSchema } from "../../../../../tests/support/api/settings-schema.ts";
import { test } from "../../../../../tests/support/api/test-api.ts";

const SCHEMA = new URL("../../../../../deploy/sluice.schema.json", import.meta.url);
const EXAMPLE = new URL("../../../../../examples/sluice.yaml", import.meta.url);

/** Reads the file as an editor does: placeholders stay. */
const readRaw = (text: string) => {
  const env = new Proxy({}, { get: (_, name) => `\${env:${String(name)}}` });
  return readSettingsFile(text, "sluice.yaml", { env, readFile: (path) => `\${file:${path}}` }).configuration;
};

test("the schema is what the document of the API says", async ({ api }) => {
  await expect(`${JSON.stringify(makeSettingsSchema(api), null, 2)}\n`).toMatchFileSnapshot(SCHEMA.pathname);
});

test("ajv takes the schema in its strict mode, the example is valid by it, and what the API refuses is not", () => {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(JSON.parse(readFileSync(SCHEMA, "utf8")) as object);
  const faultsOf = (text: string) => {
    validate(readRaw(text));
    return (validate.errors ?? []).map(({ instancePath }) => instancePath);
  };
  const example = readFileSync(EXAMPLE, "utf8");
  expect(example).toMatch(/^# yaml-language-server: \$schema=\.\.\/deploy\/sluice\.schema\.json\n/);
  expect(faultsOf(example)).toEqual([]);
  expect(
    faultsOf("targets: [{ name: a, uri: 'http://a.internal', subscribed_events: ['*'], max_in_flight: 0 }]"),
  ).toEqual(["/targets/0/max_in_flight"]);
  expect(faultsOf("targets: [{ name: a, url: 'http://a.internal' }]")).not.toEqual([]);
  expect(faultsOf("keys: [{ name: a, scopes: [root], key: '${env:KEY}' }]")).not.toEqual([]);
});
