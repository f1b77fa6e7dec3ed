// What the lanes of a worker work with. All lanes share each of these.

import type { Logger } from "@sluice/shared/runtime/log";
import type { Target } from "@sluice/store/configuration/targets";
import type { Tracing } from "@sluice/tracing/tracing";

import type { AttemptMeter } from "./attempt-meter.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Claims } from "./claims.ts";
import type { Recorder } from "./recorder.ts";
import type { RequestSlots } from "./request-slots.ts";
import type { Sender } from "./send.ts";
import type { LaneShares } from "./shares.ts";
import type { WakeUps } from "./wake-ups.ts";

export interface LaneDependencies {
  /** The target as it is now; undefined once it is deleted. */
  findTarget: (id: string) => Target | undefined;
  claims: Claims;
  /** The memory for bodies, which all lanes share. */
  bodies: BodyBudget;
  /** The requests in flight, which all lanes share. */
  slots: RequestSlots;
  sender: Pick<Sender, "send">;
  recorder: Pick<Recorder, "record">;
  wakeUps: Pick<WakeUps, "schedule">;
  /** This worker's shares of the limits of targets. */
  shares: LaneShares;
  meter: AttemptMeter;
  /** Called when this worker itself could not send a request. */
  onOwnFault: (error: unknown) => void;
  /** From [0, 1), for the jitter of retries. */
  random: () => number;
  /** Undefined where nothing is traced. */
  tracing: Tracing | undefined;
  log: Logger;
}
