// The worker's settings: how much it does at once, how long the log is kept, and what it shares with the gateway.

import { certificateFile } from "@sluice/shared/settings/certificates";
import { commonSettings, integer, webAddress } from "@sluice/shared/settings/common";
import { checkRedisCa } from "@sluice/shared/settings/redis-settings";
import { tracingSettings } from "@sluice/tracing/settings";
import { z } from "zod";

const settings = z.object({
  ...commonSettings,
  ...tracingSettings,
  DATABASE_MAX_CONNECTIONS: integer(7, 1_000).default(24),
  // The default follows from the file descriptors that the process may have: see descriptor-limit.ts.
  MAX_IN_FLIGHT: integer(1, 60_000).optional(),
  // In addition to the certificates of the system.
  TARGET_CA_FILE: certificateFile.optional(),
  // The age from which a connection to a target gets no further request, so that a name that moves is noticed.
  TARGET_CONNECTION_SECONDS: integer(1, 86_400).default(60),
  // The ledger must outlast a sender's retries (72 hours are promised), so the log does too.
  RETENTION_DAYS: integer(4, 3650).default(30),
  // Bodies can go before the log does. Deliveries that are not finished keep theirs.
  BODY_RETENTION_DAYS: integer(1, 3650).optional(),
  // Whether deliveries that are not finished by then, such as those of a paused target, stay with their events.
  RETENTION_UNFINISHED: z.enum(["keep", "exhaust"]).default("keep"),
  // Five days: a long weekend, and time to repair it. 0 is never.
  DISABLE_TARGET_AFTER_HOURS: integer(0, 8_760).default(120),
  // Longer than the log: who changed what is asked long after, and is little to keep.
  AUDIT_RETENTION_DAYS: integer(1, 36_500).default(365),
  // What the operators are told by operational events. A minute outlasts a restart.
  TARGET_FAILING_AFTER_SECONDS: integer(1, 86_400).default(60),
  RELAY_DEGRADED_AFTER_SECONDS: integer(1, 86_400).default(60),
  // In ten minutes. 0 is never.
  SOURCE_FAILING_REFUSALS: integer(0, 1_000_000).default(10),
  // Only for the links in messages to chat targets: the private address at which people reach the API.
  API_URL: webAddress("http://sluice.internal:8081").optional(),
});

export const workerConfig = settings.check(checkRedisCa).check(({ issues, value }) => {
  const { BODY_RETENTION_DAYS: days, RETENTION_DAYS: logDays } = value;
  if (days === undefined || days < logDays) return;
  const message = `must be less than RETENTION_DAYS (${logDays}): bodies go with the log in any case`;
  issues.push({ code: "custom", message, path: ["BODY_RETENTION_DAYS"], input: days });
});

export type WorkerConfig = z.infer<typeof workerConfig>;
