// Every table of the bench names the machine, and formats its numbers in the same way.

import { readFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";

import { describeCommit } from "../tests/support/commit.ts";

/** The machine, the Node and the commit: `2 cores (…), Node 24.21.0, commit 79d7bdd with changes`. */
export function describeMachine(): string {
  const cores = `${availableParallelism()} cores (${cpus()[0]?.model})`;
  return `${cores}, Node ${process.versions.node}, commit ${describeCommit()}`;
}

/** @returns a function that gives the part of the wanted processor time that other machines took since, from 0 to 1. */
export function watchStolen(): () => number {
  const first = readTimes();
  return () => {
    const [busy, stolen] = readTimes().map((ticks, index) => ticks - (first[index] ?? 0)) as [number, number];
    return stolen === 0 ? 0 : stolen / (busy + stolen);
  };
}

/**
 * The busy and the stolen time in ticks; zeros on a machine without /proc.
 * https://man7.org/linux/man-pages/man5/proc_stat.5.html
 */
function readTimes(): [number, number] {
  try {
    const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = readFileSync("/proc/stat", "utf8")
      .slice(0, 200)
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return [user + nice + system + irq + softirq, steal];
  } catch {
    return [0, 0];
  }
}

/** @param sorted ascending. @param fraction from 0 to 1. */
export function percentile(sorted: readonly number[], fraction: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

export function format(value: number, digits = 0): string {
  return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** A table in Markdown. The first column is text, the others are numbers. */
export function toMarkdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, index) => (index === 0 ? "---" : "---:"));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
