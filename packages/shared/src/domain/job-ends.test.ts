import { describe, expect, test } from "vitest";

import { bareJobId, dataIdsOfJob, findJobEnd, readJobEnd, typesOfEnds } from "./job-ends.ts";

describe("the end of a job", () => {
  test("is a state that has an event, or one that has none", () => {
    expect(findJobEnd("batch", "succeeded")).toEqual({ type: "batch.succeeded" });
    expect(findJobEnd("batch", "partially_succeeded")).toEqual({ type: null });
    expect(findJobEnd("interaction", "budget_exceeded")).toEqual({ type: null });
    expect(findJobEnd("video", "failed")).toEqual({ type: null });
  });

  test.for([
    ["interaction", "requires_action"],
    ["interaction", "in_progress"],
    ["batch", "running"],
    ["batch", "a_state_of_the_future"],
    ["batch", "constructor"],
  ] as const)("is no state such as %s %s", ([kind, state]) => expect(findJobEnd(kind, state)).toBeUndefined());

  test("is told by an event under each name of its type and of its job", () => {
    const end = { jobId: "abc", type: "batch.succeeded" };
    expect(readJobEnd("batch.succeeded", "batches/abc")).toEqual(end);
    expect(readJobEnd("batch.completed", "abc")).toEqual(end);
    expect(readJobEnd("video.generated", "models/veo/operations/abc")).toEqual({
      jobId: "abc",
      type: "video.generated",
    });
  });

  test.for([
    ["interaction.requires_action", "abc"],
    ["ping", "abc"],
    [null, "abc"],
    ["batch.succeeded", null],
    ["batch.succeeded", "batches/"],
  ] as const)("is not told by %j about %j", ([type, dataId]) => expect(readJobEnd(type, dataId)).toBeNull());

  test("has the types and the ids that a search of the log needs", () => {
    expect(typesOfEnds("batch").toSorted()).toEqual([
      "batch.cancelled",
      "batch.completed",
      "batch.expired",
      "batch.failed",
      "batch.succeeded",
    ]);
    expect(dataIdsOfJob("batch", "batches/abc")).toEqual(["abc", "batches/abc"]);
    expect(dataIdsOfJob("video", "models/veo/operations/abc")).toContain("models/veo/operations/abc");
    expect(bareJobId("abc")).toBe("abc");
  });
});
