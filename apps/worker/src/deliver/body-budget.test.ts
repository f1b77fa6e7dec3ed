import { expect, test } from "vitest";

import { BodyBudget } from "./body-budget.ts";

test("is full at its limit, and calls those that wait one by one while there is room", () => {
  const budget = new BodyBudget(100);
  const called: string[] = [];
  budget.take(60);
  expect(budget.isFull).toBe(false);
  budget.take(60);
  expect(budget.isFull).toBe(true);
  budget.onceRoom(() => (called.push("a"), budget.take(100)));
  budget.onceRoom(() => called.push("b"));
  budget.giveBack(10);
  expect(called).toEqual([]);
  budget.giveBack(50);
  expect(called).toEqual(["a"]);
  budget.giveBack(100);
  expect(called).toEqual(["a", "b"]);
  budget.giveBack(60);
  expect(called).toEqual(["a", "b"]);
});

test("a claim may bring what is free, and gives it back", () => {
  const budget = new BodyBudget(100);
  budget.take(70);
  expect(budget.takeForClaim()).toBe(30);
  expect(budget.isFull).toBe(true);
  budget.giveBack(30);
  expect(budget.isFull).toBe(false);
});
