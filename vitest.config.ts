// Four projects: `unit` (beside the sources), the tests of tests/ twice, once with BullMQ's queues on PostgreSQL and
// once on Redis, and `chaos`, which starts everything by itself. One PostgreSQL and one Redis for the whole run: tests/support/global-setup.ts.

import { availableParallelism } from "node:os";

import { defineConfig } from "vitest/config";

const crossApp = (queue: "postgres" | "redis") => ({
  test: { name: queue, include: ["tests/*.test.ts"], provide: { queue } },
});

export default defineConfig({
  test: {
    // A process per file: what one file leaves open is seen, and is its own failure.
    pool: "forks",
    isolate: true,
    // Tests mostly wait for each other's network: more of them than processors.
    maxWorkers: Math.max(4, availableParallelism()),
    globalSetup: ["tests/support/global-setup.ts"],
    setupFiles: ["tests/support/setup.ts"],
    // Far above what any test needs, for a machine that is busy with others: some are seconds of work.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 20_000,
    expect: { poll: { timeout: 120_000 } },
    allowOnly: process.env["CI"] !== "true",
    projects: [
      {
        test: {
          name: "unit",
          include: ["{apps,packages}/*/src/**/*.test.ts", "scripts/**/*.test.ts", "tests/repository/*.test.ts"],
          provide: { queue: "postgres" },
        },
      },
      crossApp("postgres"),
      crossApp("redis"),
      {
        test: {
          name: "chaos",
          include: ["tests/chaos/*.test.ts"],
          provide: { queue: "redis" },
          // Stages at once: each is nine processes, which mostly wait.
          maxConcurrency: 2,
        },
      },
    ],
  },
});
