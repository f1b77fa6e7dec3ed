// One of the two targets misbehaves. The other one must get its events as if nothing had happened.

import type { Fault } from "./fault.ts";
import type { Mode } from "./receiver.ts";

const HOLD_MS = 5_000;

function misbehave(mode: Mode, about: string, rest: Partial<Fault> = {}): Fault {
  return {
    name: `target-${mode}`,
    about,
    holdMs: HOLD_MS,
    inject: ({ all }) => all.setMode(mode),
    undo: ({ all }) => all.setMode("ok"),
    ...rest,
  };
}

export const targetFaults: Fault[] = [
  misbehave("hang", "a target reads requests and never answers"),
  misbehave("reset", "a target resets each connection"),
  misbehave("trickle", "a target answers one byte at a time and never ends"),
  misbehave("429", "a target answers 429 with Retry-After"),
  misbehave("503", "a target answers 503"),
  misbehave("302", "a target answers with a redirect"),
  misbehave("huge", "a target answers 200 with 32 MiB"),
  misbehave("410", "a target answers 410, and is enabled again", {
    mayUnsubscribe: "410 disables a target, and a disabled one is not subscribed",
    undo: async ({ all, api }) => {
      await all.setMode("ok");
      await api.patch("/v1/targets/{id}", { params: { path: { id: all.id } }, body: { state: "enabled" } });
    },
  }),
];
