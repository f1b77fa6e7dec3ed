// Keeps hands off what a file of settings manages: a change by hand would last until the file is applied again. Whoever wants
// that sends `Sluice-Force: true`.

import type { Context } from "hono";

import { SluiceError } from "@sluice/shared/runtime/errors";

import type { ApiEnv } from "./api-env.ts";
import { invalidRequest } from "./invalid-request.ts";

const FORCE = "sluice-force";

/**
 * MUST be called while the resource is locked.
 * @throws SluiceError `managed_by_file`, and `invalid_request` for a header that says neither yes nor no.
 */
export function refuseManaged(
  c: Context<ApiEnv>,
  kind: "source" | "target" | "API key",
  { name, managedBy }: { name: string; managedBy: string | null },
): void {
  if (managedBy === null || managedBy === c.get("application")?.manager || isForced(c)) return;
  throw new SluiceError(
    "managed_by_file",
    `The ${kind} "${name}" is managed by ${managedBy}: change it there, or send the header Sluice-Force: true`,
  );
}

/** Failure policy: closed. Only one value forces, and any other is refused. */
function isForced(c: Context<ApiEnv>): boolean {
  const given = c.req.header(FORCE);
  if (given !== undefined && given !== "true" && given !== "false") {
    throw invalidRequest([{ pointer: "Sluice-Force", detail: "must be true or false" }]);
  }
  return given === "true";
}
