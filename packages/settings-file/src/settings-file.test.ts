// A file of settings names its secrets, and every fault of it has a line.

import { describe, expect, test } from "vitest";

import { readSettingsFile } from "./settings-file.ts";
import { writeSettingsFile } from "./write-settings-file.ts";

const sources = {
  env: { TOKEN: "t0ken: #1", EMPTY: "" },
  readFile: (path: string) => {
    if (path === "/secrets/key") return "from a file\n";
    throw Object.assign(new Error("no"), { code: "ENOENT" });
  },
};
const read = (text: string) => readSettingsFile(text, "sluice.yaml", sources);
const faultsOf = (text: string): string => {
  try {
    read(text);
    return "none";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("readSettingsFile", () => {
  test("replaces placeholders inside texts, whatever characters the values have", () => {
    const text =
      'targets:\n  - headers: { authorization: "Bearer ${env:TOKEN}" }\n    key: ${file:/secrets/key}\n    other: $${env:TOKEN}\n';
    expect(read(text).configuration).toEqual({
      targets: [{ headers: { authorization: "Bearer t0ken: #1" }, key: "from a file", other: "${env:TOKEN}" }],
    });
  });

  test.for([
    ["${env:MISSING}", "sluice.yaml:1:4 names the environment variable MISSING, which is not set"],
    ["${env:EMPTY}", "EMPTY, which is not set"],
    ["${file:/nowhere}", "sluice.yaml:1:4 names the file /nowhere, which cannot be read (ENOENT)"],
    ["${secret:x}", 'has "${secret:x}", which is neither ${env:NAME} nor ${file:/path}'],
    ["'${env:TOKEN'", 'has "${" without "}"'],
  ] as const)("refuses %s with its place", ([value, fault]) => {
    expect(faultsOf(`a: ${value}`)).toContain(fault);
  });

  test.for([
    ["a: 1\na: 2", "sluice.yaml:2:1 Map keys must be unique"],
    ["a: [1", "sluice.yaml:1:"],
    ["a: *b", "sluice.yaml:1:"],
    ["a: 1\n---\nb: 2", "sluice.yaml:2:1"],
  ] as const)("refuses what is no YAML of one document: %j", ([text, fault]) => {
    expect(faultsOf(text)).toContain(fault);
  });

  test("finds the line of a field that the API refuses, and of what lacks a field", () => {
    const { locate } = read("sources: []\ntargets:\n  - name: billing\n    uri: nonsense\n  - name: other\n");
    expect(
      locate([
        { pointer: "/targets/0/uri", detail: "must be a URL" },
        { pointer: "/targets/1/uri", detail: "is required" },
        { pointer: "/targets", detail: "is long" },
      ]),
    ).toEqual([
      "sluice.yaml:4:5 /targets/0/uri must be a URL",
      "sluice.yaml:5:5 /targets/1/uri (in what begins here) is required",
      "sluice.yaml:3:3 /targets is long",
    ]);
  });

  test("reads what it writes, and a file without anything", () => {
    const configuration = { targets: [{ name: "a: b", subscribed_events: ["*"], signing_secret: "${env:TOKEN}" }] };
    const text = writeSettingsFile(configuration, "./sluice.schema.json");
    expect(text).toMatch(/^# yaml-language-server: \$schema=\.\/sluice\.schema\.json\n/);
    expect(read(text).configuration).toEqual({
      targets: [{ name: "a: b", subscribed_events: ["*"], signing_secret: "t0ken: #1" }],
    });
    expect(read("# nothing\n").configuration).toEqual({});
  });
});
