// The fields of timestamps and durations, such as `getHours()`. A timestamp's can be those of a time zone, which must stand
// in quotes: what a zone costs is then paid when the filter is compiled, and no event can name zones without end.

import type { ASTNode } from "@marcbachmann/cel-js";

import { EvaluationFault, readQuoted } from "./fault.ts";
import { type Compile, type EvaluationStep, isFailure, type FilterScope } from "./step.ts";
import { Duration, Timestamp } from "./times.ts";
import { typeName } from "./values.ts";

interface TimeField {
  /** @param local a date whose fields in UTC are those of the time zone. */
  ofDate: (local: Date) => number;
  /** Absent for what a duration does not have. */
  ofDuration?: (nanos: bigint) => bigint;
}

/** @returns the milliseconds from UTC to the local time of a zone at an instant. */
type Zone = (epochMs: number) => number;

const MS_PER_MINUTE = 60_000;
const MS_PER_DAY = 24 * 60 * MS_PER_MINUTE;

const FIELDS: Readonly<Record<string, TimeField>> = {
  getFullYear: { ofDate: (local) => local.getUTCFullYear() },
  getMonth: { ofDate: (local) => local.getUTCMonth() },
  getDate: { ofDate: (local) => local.getUTCDate() },
  getDayOfMonth: { ofDate: (local) => local.getUTCDate() - 1 },
  getDayOfWeek: { ofDate: (local) => local.getUTCDay() },
  getDayOfYear: { ofDate: dayOfYear },
  getHours: { ofDate: (local) => local.getUTCHours(), ofDuration: (nanos) => nanos / 3_600_000_000_000n },
  getMinutes: { ofDate: (local) => local.getUTCMinutes(), ofDuration: (nanos) => nanos / 60_000_000_000n },
  getSeconds: { ofDate: (local) => local.getUTCSeconds(), ofDuration: (nanos) => nanos / 1_000_000_000n },
  // A duration's are what is beyond its whole seconds, as the specification's tests have it.
  getMilliseconds: {
    ofDate: (local) => local.getUTCMilliseconds(),
    ofDuration: (nanos) => (nanos / 1_000_000n) % 1_000n,
  },
};

const STEPS_PER_FIELD = 5;
/** Asking a named zone for its offset formats a date. */
const STEPS_PER_NAMED_ZONE = 50;

/** Making a formatter takes as long as a hundred filters, and it holds much memory. There are some 450 zones. */
const formatters = new Map<string, Intl.DateTimeFormat>();

export const isTimeField = (name: string): boolean => Object.hasOwn(FIELDS, name);

/** @throws EvaluationFault when the time zone is not known. */
export function compileTimeField(
  compile: Compile,
  node: ASTNode & { op: "rcall" },
  scope: FilterScope,
): EvaluationStep {
  const [name, receiver, args] = node.args;
  const field = FIELDS[name];
  if (field === undefined || args.length > 1) throw new EvaluationFault("wrong number of arguments", node);
  const time = compile(receiver, scope);
  const zone = args.length === 0 ? undefined : readZone(args[0], node);
  return (frame) => {
    const value = time(frame);
    if (isFailure(value)) return value;
    frame.meter.spend(STEPS_PER_FIELD);
    if (value instanceof Timestamp) {
      if (zone === undefined) return BigInt(field.ofDate(new Date(value.epochMs)));
      frame.meter.spend(STEPS_PER_NAMED_ZONE);
      return BigInt(field.ofDate(new Date(value.epochMs + zone(value.epochMs))));
    }
    if (value instanceof Duration && field.ofDuration !== undefined && zone === undefined)
      return field.ofDuration(value.nanos);
    throw frame.meter.fail(`a ${typeName(value)} has no ${name}(${zone === undefined ? "" : "zone"})`);
  };
}

function dayOfYear(local: Date): number {
  const first = new Date(local);
  first.setUTCMonth(0, 1);
  return Math.floor(local.getTime() / MS_PER_DAY) - Math.floor(first.getTime() / MS_PER_DAY);
}

function readZone(arg: ASTNode | undefined, call: ASTNode): Zone {
  const text = readQuoted(arg, call, "a time zone stands");
  const fixed = /^([+-]?)(\d\d):(\d\d)$/.exec(text);
  if (fixed !== null) {
    const [, sign, hours, minutes] = fixed;
    if (Number(hours) > 23 || Number(minutes) > 59)
      throw new EvaluationFault(`no such time zone: ${text}`, arg ?? call);
    const offsetMs = (Number(hours) * 60 + Number(minutes)) * MS_PER_MINUTE * (sign === "-" ? -1 : 1);
    return () => offsetMs;
  }
  const formatter = openFormatter(text);
  if (formatter === undefined) {
    throw new EvaluationFault(`no such time zone: ${text}; write "Europe/Paris" or "+02:00"`, arg ?? call);
  }
  return (epochMs) => offsetAt(formatter, epochMs);
}

function openFormatter(zone: string): Intl.DateTimeFormat | undefined {
  // Intl would also take offsets, of which there are many.
  if (!/^[A-Za-z]/.test(zone)) return undefined;
  let formatter: Intl.DateTimeFormat;
  try {
    formatter = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  } catch {
    return undefined;
  }
  // Filters of one zone share a formatter, however they write its name.
  const { timeZone } = formatter.resolvedOptions();
  const known = formatters.get(timeZone) ?? formatter;
  formatters.set(timeZone, known);
  return known;
}

/** The formatter writes "1/31/2026, GMT+05:45", with seconds for times before zones were regular, or "GMT" alone. */
function offsetAt(formatter: Intl.DateTimeFormat, epochMs: number): number {
  const [, sign, hours = 0, minutes = 0, seconds = 0] =
    /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(formatter.format(epochMs)) ?? [];
  const offsetMs = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
  return sign === "-" ? -offsetMs : offsetMs;
}
