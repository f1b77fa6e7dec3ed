// PUT of a resource by its name: makes it, or replaces the one that has the name. Each of the two is a transaction that
// locks what it finds, so requests at the same moment make one resource, and no answer is given for another one's.

import type { Context } from "hono";

import { type ErrorCode, SluiceError } from "@sluice/shared/runtime/errors";

import type { ApiEnv } from "./api-env.ts";
import { invalidRequest } from "./invalid-request.ts";

/** A resource that is made and deleted again and again, each time between the two transactions, ends the request. */
const MAX_TRIES = 3;

/**
 * Also answers `If-None-Match: *`, and `If-Match` where there is no resource.
 * @param replace throws `not_found` when no resource has the name. It compares `If-Match` under the lock.
 * @param create throws `name_taken` when a resource has the name.
 * @throws SluiceError `precondition_failed`, `invalid_request` for a condition that makes no sense here, `name_taken`
 */
export async function putByName<Replaced, Created>(
  c: Context<ApiEnv>,
  { replace, create }: { replace: () => Promise<Replaced>; create: () => Promise<Created> },
): Promise<{ kind: "replaced"; replaced: Replaced } | { kind: "created"; created: Created }> {
  const { mustBeNew, mustExist } = readConditions(c);
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const found = mustBeNew ? undefined : await unless("not_found", replace);
    if (found !== undefined) return { kind: "replaced", replaced: found.result };
    if (mustExist) throw new SluiceError("precondition_failed", "If-Match needs a resource, and none has this name");
    const made = await unless("name_taken", create);
    if (made !== undefined) return { kind: "created", created: made.result };
    if (mustBeNew) throw new SluiceError("precondition_failed", "If-None-Match is *, and a resource has this name");
  }
  throw new SluiceError("name_taken", "Others make and delete resources of this name at this moment; try again");
}

/**
 * Refuses a name in a body that is not the one in the path: a PUT by name renames nothing.
 * @throws SluiceError `invalid_request`
 */
export function requireNameOfPath(name: string, given: string | undefined): void {
  if (given === undefined || given === name) return;
  const detail = `must be ${JSON.stringify(name)} as in the path, or be left out; a PATCH by id renames`;
  throw invalidRequest([{ pointer: "/name", detail }]);
}

function readConditions(c: Context<ApiEnv>): { mustBeNew: boolean; mustExist: boolean } {
  const noneMatch = c.req.header("if-none-match")?.trim();
  const mustExist = c.req.header("if-match") !== undefined;
  const mustBeNew = noneMatch !== undefined;
  // Failure policy: closed. A condition that is not understood is not ignored.
  if (mustBeNew && noneMatch !== "*") throw invalidRequest([{ pointer: "If-None-Match", detail: "must be *" }]);
  if (mustBeNew && mustExist) {
    throw invalidRequest([{ pointer: "If-None-Match", detail: "cannot hold together with If-Match; send one" }]);
  }
  return { mustBeNew, mustExist };
}

/** @returns undefined when the work was refused with this code. */
async function unless<T>(code: ErrorCode, work: () => Promise<T>): Promise<{ result: T } | undefined> {
  try {
    return { result: await work() };
  } catch (error) {
    if (error instanceof SluiceError && error.code === code) return undefined;
    throw error;
  }
}
