import { setTimeout as delay } from "node:timers/promises";

import { describe, expect, test } from "vitest";

import { settlesWithin, within } from "./within.ts";

/** Blocks the process, as a pause of its machine does. */
const standStill = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

describe("a wait", () => {
  test("ends when the promise settles, and at its limit at latest", async () => {
    expect(await within(60_000, Promise.resolve("value"))).toBe("value");
    await expect(within(60_000, Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await within(20, new Promise(() => undefined))).toBeUndefined();
    expect(await settlesWithin(60_000, Promise.reject(new Error("no")))).toBe(true);
    expect(await settlesWithin(20, new Promise(() => undefined))).toBe(false);
  });

  test("does not count the time in which the process itself stood still", async () => {
    const answer = within(300, delay(350, "an answer"));
    standStill(600);
    expect(await answer).toBe("an answer");
  });
});
