// The first steps tick themselves off, each by what the relay has.

import type { Schemas } from "@sluice/client/client";
import { expect, test } from "vitest";

import { findDone, type FirstRunState } from "./first-run-state.ts";

const source = (name: string, secrets: number) =>
  ({
    id: `src_${name}`,
    name,
    signing_secrets: Array.from({ length: secrets }),
    public_keys: [],
  }) as unknown as Schemas["Source"];
const target = (name: string) => ({ id: `tgt_${name}`, name }) as unknown as Schemas["Target"];

const fresh: FirstRunState = {
  sources: [source("gemini", 0), source("api", 0)],
  targets: [],
  newestEvents: [],
  hasDelivered: false,
};

test("nothing is done on a fresh relay", () => {
  expect(findDone(fresh)).toMatchObject({
    hasSecret: false,
    hasTarget: false,
    hasDelivered: false,
    hasEvent: false,
    isComplete: false,
  });
});

test("the demonstration ticks nothing off", () => {
  const state: FirstRunState = {
    sources: [...fresh.sources, source("sluice-demo", 1)],
    targets: [target("sluice-demo")],
    newestEvents: [{ source: "src_sluice-demo", scheme: "v1" }],
    hasDelivered: true,
  };
  expect(findDone(state)).toMatchObject({ hasSecret: false, hasTarget: false, hasDelivered: false, hasEvent: false });
});

test("an event that was sent through the API is not one of Gemini’s", () => {
  expect(findDone({ ...fresh, newestEvents: [{ source: "src_api", scheme: "api" }] }).hasEvent).toBe(false);
});

test("all is done with a secret, a target that took a delivery, and an event that was verified", () => {
  const state: FirstRunState = {
    sources: [source("gemini", 1)],
    targets: [target("billing")],
    newestEvents: [{ source: "src_gemini", scheme: "v1" }],
    hasDelivered: true,
  };
  expect(findDone(state).isComplete).toBe(true);
});
