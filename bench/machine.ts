// Every table of the bench names the machine, and formats its numbers in the same way.

import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";

import { describeCommit } from "../tests/support/commit.ts";

/** The machine, the Node and the commit: `2 cores (…), Node 24.21.0, commit 79d7bdd with changes`. */
export function describeMachine(): string {
  const cores = `${availableParallelism()} cores (${cpus()[0]?.model})`;
  return `${cores}, Node ${process.versions.node}, commit ${describeCommit()}`;
}

export interface DiskTimes {
  p50Ms: number;
  p99Ms: number;
}

const DISK_WRITES = 300;
const DISK_BLOCK = Buffer.alloc(4096, 1);

/** The time in which a file in this directory takes a block of 4 KiB for good. */
export function measureDisk(directory: string): DiskTimes {
  const path = join(directory, "disk");
  const file = openSync(path, "w");
  const times = Array.from({ length: DISK_WRITES }, () => {
    const startedAt = performance.now();
    writeSync(file, DISK_BLOCK);
    fdatasyncSync(file);
    return performance.now() - startedAt;
  }).toSorted((a, b) => a - b);
  closeSync(file);
  rmSync(path);
  return { p50Ms: percentile(times, 0.5), p99Ms: percentile(times, 0.99) };
}

export const describeDisk = ({ p50Ms, p99Ms }: DiskTimes) => `p50 ${format(p50Ms, 2)} ms, p99 ${format(p99Ms, 2)} ms`;

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
