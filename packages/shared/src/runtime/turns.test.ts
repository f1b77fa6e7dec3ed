// Tests that work takes turns, also after work that fails.

import { expect, test } from "vitest";

import { Turns } from "./turns.ts";

test("work starts when all earlier work has ended, also when that failed", async () => {
  const turns = new Turns();
  const held = Promise.withResolvers<string>();
  const order: string[] = [];
  const first = turns.take(async () => {
    order.push("first begins");
    return held.promise.finally(() => order.push("first ends"));
  });
  const second = turns.take(async () => {
    order.push("second");
    return 2;
  });
  await Promise.resolve();
  held.reject(new Error("away"));
  await expect(first).rejects.toThrow("away");
  expect(await second).toBe(2);
  expect(order).toEqual(["first begins", "first ends", "second"]);
});
