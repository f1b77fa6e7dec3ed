import { expect, test } from "vitest";

import { matchesOperational, matchesSubscription, namesOfType, SUBSCRIPTION } from "./subscription.ts";

test.for([
  [["batch.succeeded"], "batch.succeeded", true],
  [["batch.succeeded"], "batch.succeeded.now", false],
  [["batch.*"], "batch.succeeded", true],
  [["batch.*"], "batch.a.b", true],
  [["batch.*"], "batch", false],
  [["batch.*"], "batched.succeeded", false],
  [["video.generated", "batch.*"], "batch.failed", true],
  [["*"], "anything", true],
  [["*"], null, true],
  [["batch.*"], null, false],
  [[], "batch.succeeded", false],
  [["batch.completed"], "batch.succeeded", true],
  [["batch.succeeded"], "batch.completed", true],
  [["batch.completed"], "batch.completed", true],
  [["batch.completed"], "batch.failed", false],
  [["batch.completed.*"], "batch.succeeded", false],
  [["batch.succeed"], "batch.completed", false],
  [["*"], "sluice.source.drift", true],
  [["sluice.*"], "sluice.source.drift", false],
  [["sluice.source.drift"], "sluice.source.drift", false],
  [["*", "sluice.source.drift"], "sluice.source.drift", false],
  [["*", "sluice.job.*"], "sluice.source.drift", false],
  [["*", "sluice.*"], "batch.failed", true],
] as const)("%j and an event of type %j: %s", ([subscribed, type, matches]) => {
  expect(matchesSubscription(subscribed, type)).toBe(matches);
});

test.for([
  [["sluice.source.drift"], true],
  [["batch.*", "sluice.*"], true],
  [["sluice.source.*"], true],
  [["sluice.job.*"], false],
  [["*"], false],
  [["sluice"], false],
  [["batch.*"], false],
] as const)("%j and the relay's own event sluice.source.drift: %s", ([subscribed, matches]) => {
  expect(matchesOperational(subscribed, "sluice.source.drift")).toBe(matches);
});

test.for(["*", "batch.*", "batch.succeeded", "a", "video_2.generated-x"])("%j can be subscribed to", (entry) => {
  expect(entry).toMatch(SUBSCRIPTION);
});

test.for(["", ".*", "batch*", "*.succeeded", "batch.*.x", "ba tch", "-x", "x".repeat(129)])(
  "%j cannot be subscribed to",
  (entry) => {
    expect(entry).not.toMatch(SUBSCRIPTION);
  },
);

test("the names of a type are its own name, and then its alias when there is one", () => {
  expect(namesOfType("batch.completed")).toEqual(["batch.completed", "batch.succeeded"]);
  expect(namesOfType("batch.succeeded")).toEqual(["batch.succeeded", "batch.completed"]);
  for (const type of ["batch.failed", "constructor"]) expect(namesOfType(type)).toEqual([type]);
});
