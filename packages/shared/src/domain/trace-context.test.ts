// Which trace contexts are valid, by the examples and rules of https://www.w3.org/TR/trace-context/.

import { expect, test } from "vitest";

import { packTraceContext, readTraceContext, toTraceparent, unpackTraceContext } from "./trace-context.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const GIVEN = { traceId: TRACE, spanId: SPAN, isSampled: true, state: null };

test("a traceparent is read, also one of a later version with more behind it", () => {
  expect(readTraceContext(`00-${TRACE}-${SPAN}-01`)).toEqual(GIVEN);
  expect(readTraceContext(`00-${TRACE}-${SPAN}-02`)).toEqual({ ...GIVEN, isSampled: false });
  expect(readTraceContext(` cc-${TRACE}-${SPAN}-01-what-the-future-will-be `)).toEqual(GIVEN);
});

test.for([
  undefined,
  "",
  `ff-${TRACE}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
  `cc-${TRACE}-${SPAN}-01.more`,
  `00-${"0".repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${"0".repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}`,
  `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
])("%s is no trace", (traceparent) => {
  expect(readTraceContext(traceparent, "vendor=1")).toBeUndefined();
});

const readState = (state: string) => readTraceContext(`00-${TRACE}-${SPAN}-01`, state)?.state;

test("a tracestate is kept as it came, and dropped where it could be no header or is too long", () => {
  expect(readState("rojo=00f067aa0ba902b7, congo=t61rcWkgMzE")).toBe("rojo=00f067aa0ba902b7, congo=t61rcWkgMzE");
  expect(readState(`a=${"x".repeat(510)}`)).toBe(`a=${"x".repeat(510)}`);
  for (const state of ["", " ", "a=\r\nx-injected: 1", "a=\u00fc", `a=${"x".repeat(511)}`])
    expect(readState(state)).toBeNull();
});

test("a context is the same after it was packed and unpacked", () => {
  for (const state of [null, "rojo=1, congo=2"]) {
    expect(unpackTraceContext(packTraceContext({ ...GIVEN, state }))).toEqual({ ...GIVEN, state });
  }
  expect(toTraceparent({ ...GIVEN, isSampled: false })).toBe(`00-${TRACE}-${SPAN}-00`);
  expect(unpackTraceContext("nonsense")).toBeUndefined();
});
