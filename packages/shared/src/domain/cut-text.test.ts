import { expect, test } from "vitest";

import { cutText } from "./cut-text.ts";

test.for([
  ["abc", 5, "abc"],
  ["abcdef", 3, "abc"],
  ["ab😀", 4, "ab😀"],
  ["ab😀cd", 3, "ab"],
  ["ab\ud83d", 9, "ab"],
  ["a\ude00b", 3, "a\ufffdb"],
] as const)("%j cut to %i units is %j", ([text, maxLength, cut]) => {
  expect(cutText(text, maxLength)).toBe(cut);
});
