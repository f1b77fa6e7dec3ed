// What `sluice doctor` found: a verdict on each thing that it looked at, and what to do about it.

import type { Style } from "../output/style.ts";
import type { Surface } from "../output/table.ts";
import { visibleText, widthOf, wrapText } from "../output/text.ts";

/** `skipped`: it could not be looked at. */
export type DoctorVerdict = "ok" | "warning" | "wrong" | "skipped";

export interface DoctorFinding {
  /** What was looked at, in a word or two. */
  check: string;
  verdict: DoctorVerdict;
  found: string;
  /** What to do; null where there is nothing to do. */
  advice: string | null;
}

export const ok = (check: string, found: string): DoctorFinding => ({ check, verdict: "ok", found, advice: null });

export const warning = (check: string, found: string, advice: string): DoctorFinding => ({
  check,
  verdict: "warning",
  found,
  advice,
});

export const wrong = (check: string, found: string, advice: string): DoctorFinding => ({
  check,
  verdict: "wrong",
  found,
  advice,
});

export const skipped = (check: string, found: string): DoctorFinding => ({
  check,
  verdict: "skipped",
  found,
  advice: null,
});

const STYLES: Record<DoctorVerdict, Style> = { ok: "green", warning: "yellow", wrong: "red", skipped: "dim" };
const GAP = "  ";

/** A line for each finding, and what to do below it. */
export function findingLines(findings: readonly DoctorFinding[], { width, paint }: Surface): string[] {
  const verdictWidth = Math.max(...findings.map(({ verdict }) => widthOf(verdict)));
  const checkWidth = Math.max(...findings.map(({ check }) => widthOf(check)));
  const indent = verdictWidth + checkWidth + 2 * GAP.length;
  const room = width === undefined ? Infinity : Math.max(20, width - indent);
  const below = " ".repeat(indent);
  return findings.flatMap(({ check, verdict, found, advice }) => {
    const head = paint(STYLES[verdict], verdict.padEnd(verdictWidth)) + GAP + check.padEnd(checkWidth) + GAP;
    const [first = "", ...rest] = wrapText(visibleText(found), room);
    const todo = advice === null ? [] : wrapText(`→ ${visibleText(advice)}`, room);
    return [head + first, ...[...rest, ...todo].map((line) => below + line)];
  });
}

const things = (number: number) => `${number} ${number === 1 ? "thing is" : "things are"}`;

/** Such as `2 things are wrong, and 1 is to be looked at.` */
export function summarize(findings: readonly DoctorFinding[]): string {
  const count = (verdict: DoctorVerdict) => findings.filter((each) => each.verdict === verdict).length;
  const [wrongs, warnings] = [count("wrong"), count("warning")];
  if (wrongs === 0 && warnings === 0) return "Nothing is wrong.";
  if (wrongs === 0) return `Nothing is wrong, and ${things(warnings)} to be looked at.`;
  const rest = warnings === 0 ? "" : `, and ${warnings} ${warnings === 1 ? "is" : "are"} to be looked at`;
  return `${things(wrongs)} wrong${rest}.`;
}
