import { expect, test } from "vitest";

import { FetchPace } from "./fetch-pace.ts";

function openPace(most: number) {
  const applied: number[] = [];
  return { pace: new FetchPace(most, (jobs) => applied.push(jobs)), applied };
}

/** A job that comes alone: the queue is empty after it. */
function handleAlone(pace: FetchPace) {
  pace.begin();
  pace.end();
  pace.noteEmpty();
}

test("handles one job at once while each finds the queue empty after it", () => {
  const { pace } = openPace(32);
  for (let count = 0; count < 10; count++) handleAlone(pace);
  expect(pace.concurrency).toBe(1);
});

test("handles as many as it may when jobs come without a pause, and one again when the queue is empty", () => {
  const { pace, applied } = openPace(32);
  for (let count = 0; count < 3; count++) {
    pace.begin();
    pace.end();
  }
  expect(applied).toEqual([32]);
  pace.noteEmpty();
  expect(applied).toEqual([32, 1]);
});

test("stays at many while jobs are in hand, because the queue was only empty for a moment", () => {
  const { pace } = openPace(32);
  for (let count = 0; count < 3; count++) pace.begin();
  pace.end();
  pace.noteEmpty();
  expect(pace.concurrency).toBe(32);
});

test("keeps the limit that is set meanwhile", () => {
  const { pace, applied } = openPace(32);
  pace.setMost(4);
  for (let count = 0; count < 3; count++) pace.begin();
  pace.setMost(8);
  expect(applied).toEqual([1, 4, 8]);
});
