// A command of curl does what the console does, and has no secret.

import { expect, test, vi } from "vitest";

import { callAsCurl, readAsCurl } from "./curl.ts";

vi.stubGlobal("location", { origin: "https://relay.example.com" });

test("a list is a command with its query", () => {
  expect(readAsCurl("/v1/events?data_id=it's")).toBe(
    `curl -sS 'https://relay.example.com/v1/events?data_id=it'\\''s' -H "Authorization: Bearer $KEY"`,
  );
});

test("an action is a command with its body", () => {
  expect(callAsCurl({ method: "POST", path: "/v1/deliveries:retry", body: { status: ["exhausted"] } })).toBe(
    `curl -sS -X POST 'https://relay.example.com/v1/deliveries:retry' -H "Authorization: Bearer $KEY" ` +
      `-H 'Content-Type: application/json' -d '{"status":["exhausted"]}'`,
  );
});

test("secrets that were typed are not in it", () => {
  const body = {
    name: "billing",
    secret: "whsec_a",
    headers: { authorization: "Bearer b" },
    tls: { client_certificate: "public", client_key: "c" },
  };
  const command = callAsCurl({ method: "POST", path: "/v1/targets", body });
  expect(command).not.toMatch(/whsec_a|Bearer b|"c"/);
  expect(command).toContain('"headers":{"authorization":"REPLACE_ME"}');
  expect(command).toContain('"client_certificate":"public"');
});
