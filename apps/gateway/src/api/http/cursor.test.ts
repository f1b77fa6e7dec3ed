import { describe, expect, test } from "vitest";

import { newId } from "@sluice/shared/domain/ids";

import { cursorOf, readLastId } from "./cursor.ts";

const id = newId();
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const refused = expect.objectContaining({
  code: "invalid_cursor",
  faults: [expect.objectContaining({ pointer: "?cursor" })],
});

describe("cursorOf", () => {
  test("a cursor holds the id that was written into it", () => {
    const filters = { status: "pending", sinceMs: 1 };
    const text = cursorOf("deliveries", filters).write(id);
    expect(cursorOf("deliveries", { ...filters }).read(text)).toEqual({ lastId: id, details: "" });
    expect(text).toMatch(/^[A-Za-z0-9_-]{38}$/);
    const detailed = cursorOf("deliveries", filters).write(id, "1:2:3,4");
    expect(cursorOf("deliveries", filters).read(detailed)).toEqual({ lastId: id, details: "1:2:3,4" });
    expect(readLastId({ lastId: id, details: "" })).toBe(id);
    expect(() => readLastId({ lastId: id, details: "1" })).toThrow(refused);
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

  test.for(["", "1:2:3,4"])("every change of one character is refused, with the details %j", (details) => {
    const cursor = cursorOf("events", { source: "gemini" });
    const text = cursor.write(id, details);
    for (let at = 0; at < text.length; at++) {
      for (const letter of ALPHABET.replace(text.charAt(at), "")) {
        expect(() => cursor.read(text.slice(0, at) + letter + text.slice(at + 1))).toThrow(refused);
      }
      expect(() => cursor.read(text.slice(0, at) + text.slice(at + 1))).toThrow(refused);
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
