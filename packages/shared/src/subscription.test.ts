import { expect, test } from "vitest";

import { matchesSubscription, SUBSCRIPTION } from "./subscription.ts";

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
] as const)("%j and an event of type %j: %s", ([subscribed, type, matches]) => {
  expect(matchesSubscription(subscribed, type)).toBe(matches);
});

test.for(["*", "batch.*", "batch.succeeded", "a", "video_2.generated-x"])("%j can be subscribed to", (entry) => {
  expect(entry).toMatch(SUBSCRIPTION);
});

test.for(["", ".*", "batch*", "*.succeeded", "batch.*.x", "ba tch", "-x", "x".repeat(129)])("%j cannot", (entry) => {
  expect(entry).not.toMatch(SUBSCRIPTION);
});
