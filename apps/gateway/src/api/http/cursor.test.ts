import { describe, expect, test } from "vitest";

import { newId } from "@sluice/shared/domain/ids";

import { cursorOf } from "./cursor.ts";

const id = newId();
const refused = expect.objectContaining({
  code: "invalid_cursor",
  faults: [expect.objectContaining({ pointer: "?cursor" })],
});

describe("cursorOf", () => {
  test("a cursor holds the id that was written into it", () => {
    const filters = { status: "pending", sinceMs: 1 };
    const text = cursorOf("deliveries", filters).write(id);
    expect(cursorOf("deliveries", { ...filters }).read(text)).toBe(id);
    expect(text).toMatch(/^[A-Za-z0-9_-]{32}$/);
  });

  test("a cursor of another list or of other filters is refused", () => {
    const text = cursorOf("deliveries", { status: "pending" }).write(id);
    for (const other of [
      cursorOf("events", { status: "pending" }),
      cursorOf("deliveries", { status: "exhausted" }),
      cursorOf("deliveries"),
    ]) {
      expect(() => other.read(text)).toThrow(refused);
    }
  });

  test("text that is not a cursor is refused", () => {
    const cursor = cursorOf("sources");
    const text = cursor.write(id);
    for (const wrong of [
      "",
      "x",
      id,
      text.slice(1),
      `${text}A`,
      `${text}=`,
      ` ${text}`,
      text.replace(/.$/, "!"),
      "é".repeat(32),
    ]) {
      expect(() => cursor.read(wrong)).toThrow(refused);
    }
  });
});
