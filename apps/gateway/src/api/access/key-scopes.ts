// The scopes of a key: what it may do everywhere, or the one target that it is for.

import { z } from "@hono/zod-openapi";

import { formatId, idPattern, newId, readId } from "@sluice/shared/domain/ids";
import type { ApiKeyRecord } from "@sluice/store/configuration/api-keys";
import { notFound } from "@sluice/store/configuration/names";
import { holdTarget } from "@sluice/store/configuration/targets";
import type { Connection } from "@sluice/store/connection/database";
import type { Scope } from "@sluice/store/schema";

import { invalidRequest } from "../http/invalid-request.ts";
import { withoutRepeats } from "../http/repeats.ts";

const BOUND = "target:";
// oxlint-disable-next-line no-control-regex -- it refuses them.
const NAMED_TARGET = /^target:[^\x00-\x1f\x7f-\x9f]+$/u;
const SCOPES = ["read", "write", "admin"] as const satisfies Scope[];
const DESCRIPTION =
  "`read` allows every read. `write` includes `read` and allows changes. `admin` includes both, manages keys and reads the " +
  "audit trail. ";

const scope = z.enum(SCOPES).openapi("Scope", {
  description: "read: every read. write: also changes. admin: also keys, the audit trail, and erasing events.",
});

const targetScope = z
  .string()
  .regex(
    new RegExp(idPattern("tgt").replace("^", `^${BOUND}`)),
    `must be one of "read", "write", "admin", or "${BOUND}tgt_…"`,
  )
  .openapi("TargetScope", {
    description: "The key is for this pull target alone.",
    example: "target:tgt_01h455vb4pex5vsknk084sn02q",
  });

export const shownScopes = z.array(z.union([scope, targetScope]));

const STANDS_ALONE = "must stand alone: a key that is for one target has no other scope";

const scopesOf = (bound: z.ZodType<string, string>, description: string) =>
  z
    .array(z.union([scope, bound]))
    .min(1)
    .max(10)
    .apply(withoutRepeats)
    .superRefine((scopes: string[], context) => {
      const index = scopes.findIndex((each) => each.startsWith(BOUND));
      if (index !== -1 && scopes.length > 1) context.addIssue({ code: "custom", message: STANDS_ALONE, path: [index] });
    })
    .openapi({ description: DESCRIPTION + description, example: ["read"] });

export const givenScopes = scopesOf(
  targetScope,
  "`target:` with the id of a pull target, alone, allows to pull for that target and to read it and its deliveries.",
);

/** In a file of settings, which knows no ids. */
export const configuredScopes = scopesOf(
  z
    .string()
    .max(207)
    .regex(NAMED_TARGET, `must be one of "read", "write", "admin", or "${BOUND}" and the name of a target`),
  "`target:` with the name of a pull target, alone, allows to pull for that target and to read it and its deliveries.",
);

/** The scope of a key that is for one target. @param target its id, or its name in a file of settings. */
export const boundScope = (target: string): string => BOUND + target;

export const showScopes = ({ scopes, targetId }: Pick<ApiKeyRecord, "scopes" | "targetId">): string[] =>
  targetId === null ? scopes : [boundScope(formatId("tgt", targetId))];

/**
 * Reads the scopes of a key as they are stored, and keeps its target from being deleted until the transaction ends.
 * @param tx MUST be the transaction that stores the key.
 * @param willExist whether a target that does not exist will be made. Then the key has the id of no target.
 * @throws SluiceError `invalid_request` when there is no such pull target.
 */
export async function readScopes(
  tx: Connection,
  given: readonly string[],
  willExist: (name: string) => boolean = () => false,
): Promise<{ scopes: Scope[]; targetId: string | null }> {
  const bound = given.find((each) => each.startsWith(BOUND))?.slice(BOUND.length);
  if (bound === undefined) return { scopes: SCOPES.filter((each) => given.includes(each)), targetId: null };
  const id = readId("tgt", bound);
  const target = await holdTarget(tx, id ?? { name: bound });
  if (target === undefined && willExist(bound)) return { scopes: [], targetId: newId() };
  if (target === undefined)
    throw scopeRefusal(`is for no target: ${notFound("target", id ?? { name: bound }).message}`);
  if (target.kind !== "pull") throw scopeRefusal(`is only for pull targets, and this one is ${target.kind}`);
  return { scopes: [], targetId: target.id };
}

const scopeRefusal = (detail: string) => invalidRequest([{ pointer: "/scopes/0", detail }]);
