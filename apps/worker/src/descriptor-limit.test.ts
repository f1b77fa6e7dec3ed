import { expect, test } from "vitest";

import { limitConnectionsToTargets } from "./descriptor-limit.ts";

test("requests and idle connections fit the file descriptors of the process", () => {
  for (const descriptors of [64, 256, 1_024, 4_096, 1_048_576]) {
    const { maxInFlight, keptSockets, isAboveDescriptors } = limitConnectionsToTargets(undefined, descriptors);
    expect(maxInFlight).toBeGreaterThanOrEqual(8);
    expect(maxInFlight).toBeLessThanOrEqual(512);
    if (descriptors >= 256) expect(maxInFlight + keptSockets).toBeLessThanOrEqual(descriptors - 128);
    expect(isAboveDescriptors).toBe(descriptors < 128);
  }
  expect(limitConnectionsToTargets(undefined, undefined).maxInFlight).toBeGreaterThan(8);
});

test("the setting wins, and idle connections get what is left", () => {
  expect(limitConnectionsToTargets(800, 1_024)).toMatchObject({ maxInFlight: 800, keptSockets: 96 });
  expect(limitConnectionsToTargets(2_000, 1_024)).toMatchObject({
    maxInFlight: 2_000,
    keptSockets: 0,
    isAboveDescriptors: true,
  });
});
