// What a replay asks for, in the words that the replay of one event and the replay of many have in common.

import { z } from "@hono/zod-openapi";

import { formatId, parseId } from "@sluice/shared/domain/ids";
import { type Fault, SluiceError } from "@sluice/shared/runtime/errors";
import type { Subscriber } from "@sluice/store/configuration/targets";
import { isSubscribed } from "@sluice/store/delivery/fan-out";

import { invalidRequest } from "../http/invalid-request.ts";
import { withoutRepeats } from "../http/repeats.ts";
import { idField } from "../openapi/endpoint.ts";

export const targetIds = (maxTargets: number) => z.array(idField("tgt")).min(1).max(maxTargets).apply(withoutRepeats);

/** @returns the UUIDs of targets. @throws SluiceError `invalid_id` */
export const parseTargetIds = (ids: readonly string[]): string[] =>
  ids.map((text, index) => parseId("tgt", text, `/targets/${index}`));

/**
 * @param subscribers the targets among which the named ones are searched.
 * @throws SluiceError `invalid_request` or `target_disabled`, with a fault for each target that it is about
 */
export function findNamed(ids: readonly string[], subscribers: readonly Subscriber[]): Subscriber[] {
  const byId = new Map(subscribers.map((target) => [target.id, target]));
  const unknown = ids.flatMap((id, index) => (byId.has(id) ? [] : [faultAt(index, "is the id of no target")]));
  if (unknown.length > 0) throw invalidRequest(unknown);
  const found = ids.map((id) => byId.get(id)).filter((target) => target !== undefined);
  const disabled = found.flatMap((target, index) => (isSubscribed(target) ? [] : [faultAt(index, "is disabled")]));
  if (disabled.length === 0) return found;
  const names = found.filter((target) => !isSubscribed(target)).map(({ id }) => formatId("tgt", id));
  const message = `These targets are disabled; enable them or leave them out: ${names.join(", ")}`;
  throw new SluiceError("target_disabled", message, { faults: disabled });
}

const faultAt = (index: number, detail: string): Fault => ({ pointer: `/targets/${index}`, detail });
