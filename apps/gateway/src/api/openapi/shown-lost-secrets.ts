// The field of sources and targets that says what they lack since the master key was lost.

import { z } from "@hono/zod-openapi";

import { LOST_SECRETS } from "@sluice/store/schema";

export const shownLostSecrets = z.array(z.enum(LOST_SECRETS).openapi("LostSecret")).openapi({
  description:
    "What was lost with the master key (`sluice rekey --lost`) and is not set anew yet. Until then a source answers 503, and a " +
    "target stays paused.",
  example: [],
});
