import { expect, test } from "vitest";

import { findingLines, ok, skipped, summarize, warning, wrong } from "./finding.ts";

const FINDINGS = [
  ok("relay", "It answers"),
  warning("public url", "PUBLIC_URL is not set", "Set it to the address at which Gemini reaches the ingress"),
];

const paint = (_style: unknown, text: string) => text;

test("each finding is a line with what to do below it, broken at spaces where the terminal is narrow", () => {
  expect(findingLines(FINDINGS, { width: 60, paint })).toEqual([
    "ok       relay       It answers",
    "warning  public url  PUBLIC_URL is not set",
    "                     → Set it to the address at which Gemini",
    "                     reaches the ingress",
  ]);
  expect(findingLines(FINDINGS, { width: undefined, paint })).toHaveLength(3);
});

test("the summary counts what is wrong and what is to be looked at, and not what was skipped", () => {
  const [bad, odd, unseen] = [wrong("a", "b", "c"), warning("a", "b", "c"), skipped("a", "b")];
  expect([[unseen], [odd], [bad], [bad, odd, odd], [bad, bad, odd]].map(summarize)).toEqual([
    "Nothing is wrong.",
    "Nothing is wrong, and 1 thing is to be looked at.",
    "1 thing is wrong.",
    "1 thing is wrong, and 2 are to be looked at.",
    "2 things are wrong, and 1 is to be looked at.",
  ]);
});
