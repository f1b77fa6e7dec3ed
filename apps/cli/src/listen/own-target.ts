// The pull target of one person on one machine. It keeps its name and its signing secret, so that a service that verifies
// signatures is set up once. The relay deletes it when nobody has pulled for a week.

import { hostname, userInfo } from "node:os";

import type { Schemas, SluiceClient } from "@sluice/client/client";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { asked } from "../relay/relay-api.ts";

export interface OwnTargetOptions {
  /** The name of the target; undefined for that of this person on this machine. */
  name: string | undefined;
  events: readonly string[];
  /** A filter in CEL; null for all events. */
  filter: string | null;
}

export interface OwnTarget {
  target: Schemas["Target"];
  /** Only when the target was made now: the relay never shows it again. */
  newSecret: string | undefined;
  /** The events that it got before, when they were others. Somebody may listen by the same name. */
  before?: string;
}

const IDLE_SECONDS = 7 * 86_400;

/** Such as `listen-ada@laptop`. */
export const ownTargetName = (): string => `listen-${userInfo().username}@${hostname()}`.slice(0, 200);

/** @throws SluiceError `wrong_kind` when the name belongs to a target that is not pulled. */
export async function findOrMakeTarget(api: SluiceClient, options: OwnTargetOptions): Promise<OwnTarget> {
  const { name = ownTargetName(), events, filter } = options;
  const wanted = { subscribed_events: [...events], filter };
  const { data } = await asked(api.get("/v1/targets", { params: { query: { name } } }));
  const [found] = data;
  if (found === undefined) {
    const body = { ...wanted, name, kind: "pull" as const, delete_after_idle_seconds: IDLE_SECONDS };
    const { new_signing_secret: newSecret, ...target } = await asked(api.post("/v1/targets", { body }));
    return { target, newSecret };
  }
  if (found.kind !== "pull") {
    throw new SluiceError("wrong_kind", `The target ${name} has the kind ${found.kind}: choose another name by --name`);
  }
  const isAsWanted =
    found.filter === filter && found.subscribed_events.toSorted().join(" ") === events.toSorted().join(" ");
  if (isAsWanted && found.state === "enabled") return { target: found, newSecret: undefined };
  const params = { path: { id: found.id } };
  const target = await asked(api.patch("/v1/targets/{id}", { params, body: { ...wanted, state: "enabled" } }));
  return { target, newSecret: undefined, ...(!isAsWanted && { before: describeEvents(found) }) };
}

const describeEvents = ({ subscribed_events: events, filter }: Schemas["Target"]) =>
  events.join(", ") + (filter === null ? "" : ` where ${filter}`);
