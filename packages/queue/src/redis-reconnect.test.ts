// A connection leaves a server that is no primary, and does so at most once a second.

import { expect, test } from "vitest";

import { paceReconnects } from "./redis-reconnect.ts";

const refusal = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });

test.for([
  ["READONLY You can't write against a read only replica.", true],
  ["LOADING Redis is loading the dataset in memory", true],
  ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", true],
  ["OOM command not allowed when used memory > 'maxmemory'.", false],
  ["NOREPLICAS Not enough good replicas to write.", false],
  ["NOSCRIPT No matching script.", false],
] as const)("%s: %s", ([message, expected]) => {
  expect(paceReconnects()(refusal(message))).toBe(expected);
});

test("an error that Redis did not answer with changes nothing", () => {
  expect(paceReconnects()(new Error("READONLY"))).toBe(false);
});

test("a connection that leads to a replica again and again is replaced once a second", () => {
  let nowMs = 5_000;
  const shouldReconnect = paceReconnects(() => nowMs);
  const answers: boolean[] = [];
  for (; nowMs < 8_000; nowMs += 100) answers.push(shouldReconnect(refusal("READONLY")));
  expect(answers.filter(Boolean)).toHaveLength(3);
  expect(answers[0]).toBe(true);
});
