// There are six projects. `unit` has the tests beside the sources. `postgres` and `redis` run the tests of tests/ with the
// queues on PostgreSQL and on Redis. `console` has the console in a browser. `clients` makes clients of the API with generators. `chaos` starts everything by itself. The other projects share one PostgreSQL and one
// Redis, which tests/support/global-setup.ts starts.

import { availableParallelism } from "node:os";

import { defineConfig } from "vitest/config";

const crossApp = (queue: "postgres" | "redis") => ({
  test: { name: queue, include: ["tests/*.test.ts"], provide: { queue } },
});

export default defineConfig({
  test: {
    // Each file has a process of its own, so that a handle that stays open fails the file that opened it.
    pool: "forks",
    isolate: true,
    // Tests mostly wait for the network, so more of them than processors run at the same time.
    maxWorkers: Math.max(4, availableParallelism()),
    globalSetup: ["tests/support/global-setup.ts"],
    setupFiles: ["tests/support/setup.ts"],
    // Some tests are seconds of work, and a busy machine is much slower. The limits are far above that.
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
        // A browser takes more of the machine than a test that waits for the network, so these run last and by themselves.
        test: {
          name: "console",
          include: ["tests/console/*.test.ts"],
          provide: { queue: "postgres" },
          globalSetup: ["tests/console/global-setup.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Each test here makes a client with a generator, which is work for all processors.
        test: { name: "clients", include: ["tests/clients/*.test.ts"], provide: { queue: "postgres" } },
      },
      {
        test: {
          name: "chaos",
          include: ["tests/chaos/*.test.ts"],
          provide: { queue: "redis" },
          // Each stage is nine processes, which mostly wait.
          maxConcurrency: 2,
        },
      },
    ],
  },
});
