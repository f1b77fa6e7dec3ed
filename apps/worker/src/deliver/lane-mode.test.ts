import { TARGET_DEFAULTS, type Target } from "@sluice/store/configuration/targets";
import { expect, test } from "vitest";

import { laneMode } from "./lane-mode.ts";

const target = { ...TARGET_DEFAULTS, id: "target", state: "enabled" } as Target;

test.for([
  [false, target, "closed", "sending"],
  [false, target, "probe", "probing"],
  [false, target, "open", "blocked"],
  [false, { ...target, state: "paused" }, "closed", "closed"],
  [false, { ...target, state: "disabled" }, "open", "closed"],
  [false, { ...target, state: "disabled_due_to_failed_deliveries" }, "probe", "closed"],
  [false, undefined, "closed", "closed"],
  [true, target, "closed", "stopping"],
  [true, undefined, "open", "stopping"],
] as const)("stopping %s, target %o, gate %s: %s", ([isStopping, of, gate, kind]) => {
  expect(laneMode(isStopping, of, () => gate).kind).toBe(kind);
});
