// The calls of the control interface, each with the schema of its arguments. The names are those of the TypeScript
// interface.

import { z } from "zod";

import type { CallFaults } from "./api/call-faults.ts";
import type { RequestLog } from "./api/request-log.ts";
import type { SimulatorClock } from "./clock.ts";
import type { DeliveryFaults } from "./delivery/delivery-faults.ts";
import type { SimulatedDeliveries } from "./delivery/simulated-deliveries.ts";
import { Misuse } from "./misuse.ts";
import { REGISTRATION_STATES, type RegisteredWebhooks } from "./state/registered-webhooks.ts";
import type { SimulatedJobs } from "./state/simulated-jobs.ts";

export interface ControlledParts {
  clock: SimulatorClock;
  jobs: SimulatedJobs;
  webhooks: RegisteredWebhooks;
  deliveries: SimulatedDeliveries;
  faults: { calls: CallFaults; deliveries: DeliveryFaults };
  requests: RequestLog;
}

/** Answers the arguments, which may be anything. @throws ZodError and Misuse for a fault of the caller. */
type Command = (input: unknown) => unknown;

const count = z.number().int().min(1);
const deliveryFault = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("never") }),
  z.strictObject({ kind: z.literal("late"), delayMs: z.number().min(0) }),
  z.strictObject({
    kind: z.literal("duplicate"),
    copies: count.optional(),
    delayMs: z.number().min(0).optional(),
  }),
  z.strictObject({ kind: z.literal("lost_answer") }),
  z.strictObject({ kind: z.literal("out_of_order") }),
]);
const callFault = z.strictObject({
  failure: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("error"),
      status: z.number().int().min(400).max(599),
      retryAfterSeconds: z.number().min(0).optional(),
      form: z.enum(["google", "string_code"]).optional(),
    }),
    z.strictObject({ kind: z.literal("cut") }),
    z.strictObject({ kind: z.literal("hang") }),
  ]),
  effect: z.enum(["none", "applied"]).optional(),
  route: z.string().optional(),
  apiKey: z.string().optional(),
  times: count.optional(),
  after: z.number().int().min(0).optional(),
});
const deliveryRule = z.strictObject({
  fault: deliveryFault,
  share: z.number().min(0).max(1).optional(),
  type: z.string().optional(),
  job: z.string().optional(),
  times: count.optional(),
});
const jobStart = z.strictObject({
  kind: z.enum(["batch", "interaction", "video"]),
  project: z.string().optional(),
  model: z.string().optional(),
  displayName: z.string().optional(),
  isInline: z.boolean().optional(),
  requestCount: count.optional(),
  webhooks: z
    .strictObject({ uris: z.array(z.url()), userMetadata: z.record(z.string(), z.unknown()).optional() })
    .optional(),
  expires: z.boolean().optional(),
});
const jobMove = z.strictObject({
  name: z.string(),
  state: z.string(),
  error: z.strictObject({ code: z.number().int(), message: z.string() }).optional(),
  event: z.string().nullable().optional(),
  fault: deliveryFault.optional(),
});
const jobName = z.strictObject({ name: z.string() });
const nothing = z.strictObject({});

export function commandsOf(parts: ControlledParts): ReadonlyMap<string, Command> {
  const { clock, jobs, webhooks, deliveries, faults, requests } = parts;
  const now = () => ({ now: new Date(clock.nowMs()).toISOString() });
  return new Map<string, Command>([
    command("clock/get", nothing, now),
    command("clock/set", z.strictObject({ time: z.iso.datetime() }), async ({ time }) => {
      await clock.set(Date.parse(time));
      return now();
    }),
    command("clock/advance", z.strictObject({ ms: z.number().min(0) }), async ({ ms }) => {
      await clock.advance(ms);
      return now();
    }),
    command("jobs/start", jobStart, (start) => jobs.start(start)),
    command("jobs/move", jobMove, ({ name, ...move }) => {
      jobs.move(jobs.get(name), move);
      return jobs.get(name);
    }),
    command("jobs/get", jobName, ({ name }) => jobs.get(name)),
    command("jobs/list", nothing, () => ({ jobs: jobs.list() })),
    command("jobs/hide", jobName, ({ name }) => Object.assign(jobs.get(name), { isHidden: true })),
    command("jobs/lose", jobName, ({ name }) => Object.assign(jobs.get(name), { isLost: true })),
    command("webhooks/list", nothing, () => ({
      // Whoever steers the simulator does not need the secrets.
      webhooks: webhooks.list().map(({ secrets, ...webhook }) => ({ ...webhook, secretCount: secrets.length })),
    })),
    command("webhooks/setState", z.strictObject({ id: z.string(), state: z.enum(REGISTRATION_STATES) }), (input) => {
      const webhook = webhooks.find(input.id);
      if (webhook === undefined) throw new Misuse(`id: there is no webhook ${input.id}`);
      webhooks.setState(webhook, input.state);
    }),
    command("deliveries/list", nothing, () => ({ deliveries: deliveries.list() })),
    command("deliveries/releaseHeld", nothing, () => deliveries.releaseHeld()),
    command("deliveries/settle", nothing, async () => {
      await clock.settle();
      return { unfinished: deliveries.countUnfinished() };
    }),
    command("faults/addDelivery", deliveryRule, (rule) => faults.deliveries.add(rule)),
    command("faults/addCall", callFault, (fault) => faults.calls.add(fault)),
    command("faults/clear", nothing, () => {
      faults.calls.clear();
      faults.deliveries.clear();
    }),
    command("requests/list", nothing, () => ({
      requests: requests.list().map((request) => ({ ...request, apiKey: endOf(request.apiKey) })),
    })),
    command("requests/counts", nothing, () => ({
      counts: Object.entries(requests.counts()).map(([apiKey, routes]) => ({ apiKey: endOf(apiKey), routes })),
    })),
  ]);
}

function command<S extends z.ZodType>(
  name: string,
  schema: S,
  run: (input: z.output<S>) => unknown,
): [string, Command] {
  return [name, (input) => run(schema.parse(input))];
}

/** An API key is a secret, also in a tool for development. */
const endOf = (apiKey: string) => `…${apiKey.slice(-4)}`;
