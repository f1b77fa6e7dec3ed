// The pull target of one person on one machine. It keeps its name and its signing secret, so that a service that verifies
// signatures is set up once. The relay deletes it when nobody has pulled for a week.

import { hostname, userInfo } from "node:os";

import type { Schemas, SluiceClient } from "@sluice/client/client";
import { SluiceError } from "@sluice/shared/runtime/errors";

import { asked } from "../relay/relay-api.ts";

export interface OwnTargetOptions {
  /** The name or the id of the target; undefined for that of this person on this machine. */
  name: string | undefined;
  /** Undefined for all, or for what a target gets that is named by its id. */
  events: readonly string[] | undefined;
  /** A filter in CEL; undefined like the events. */
  filter: string | undefined;
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

const TARGET_ID = /^tgt_[0-9a-z]{26}$/;

/** @throws SluiceError `wrong_kind` when the name belongs to a target that is not pulled. */
export async function findOrMakeTarget(api: SluiceClient, options: OwnTargetOptions): Promise<OwnTarget> {
  const { name = ownTargetName(), events = ["*"], filter = null } = options;
  const found = await findListenTarget(api, name);
  if (found === undefined) {
    const delete_after_idle_seconds = IDLE_SECONDS;
    const body = { name, kind: "pull" as const, subscribed_events: [...events], filter, delete_after_idle_seconds };
    const { new_signing_secret: newSecret, ...target } = await asked(api.post("/v1/targets", { body }));
    return { target, newSecret };
  }
  if (found.kind !== "pull") {
    throw new SluiceError("wrong_kind", `The target ${name} has the kind ${found.kind}: choose another name by --name`);
  }
  // Whoever names a target by its id listens to what it gets. The key may be for this target alone, and may not change it.
  const isGiven = TARGET_ID.test(name) && options.events === undefined && options.filter === undefined;
  const isAsWanted =
    found.filter === filter && found.subscribed_events.toSorted().join(" ") === events.toSorted().join(" ");
  if (isGiven || (isAsWanted && found.state === "enabled")) return { target: found, newSecret: undefined };
  const params = { path: { id: found.id } };
  const body = { subscribed_events: [...events], filter, state: "enabled" as const };
  const target = await asked(api.patch("/v1/targets/{id}", { params, body }));
  return { target, newSecret: undefined, ...(!isAsWanted && { before: describeEvents(found) }) };
}

async function findListenTarget(api: SluiceClient, name: string): Promise<Schemas["Target"] | undefined> {
  if (TARGET_ID.test(name)) return asked(api.get("/v1/targets/{id}", { params: { path: { id: name } } }));
  return (await asked(api.get("/v1/targets", { params: { query: { name } } }))).data[0];
}

const describeEvents = ({ subscribed_events: events, filter }: Schemas["Target"]) =>
  events.join(", ") + (filter === null ? "" : ` where ${filter}`);
