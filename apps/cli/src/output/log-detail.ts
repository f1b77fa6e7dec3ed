// What a line of the gateway's log says beside its message, on one line: why it failed, and where.

import type { Schemas } from "@sluice/client/client";

/** These say nothing to somebody who reads a table. */
const LEFT_OUT = ["err", "request_id", "remote_address", "duration_ms", "is_cut"];
const DEEPEST = 5;

/** Such as `query failed: connection lost; GET /v1/events 503`. Empty when the line has a message alone. */
export function logDetail({ fields }: Schemas["SystemLogLine"]): string {
  const { method, route, status, ...others } = fields;
  const request = [method, route, status]
    .filter((part) => part !== undefined)
    .map(valueText)
    .join(" ");
  const rest = Object.entries(others)
    .filter(([name]) => !LEFT_OUT.includes(name))
    .map(([name, value]) => `${name}=${valueText(value)}`);
  return [messagesOf(fields["err"]).join(": "), request, rest.join(" ")].filter((part) => part !== "").join("; ");
}

const valueText = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** An error and its causes, the last of which says why. */
function messagesOf(error: unknown, depth = 0): string[] {
  if (typeof error !== "object" || error === null || depth === DEEPEST) return [];
  const { message, cause } = error as { message?: unknown; cause?: unknown };
  return [...(typeof message === "string" ? [message] : []), ...messagesOf(cause, depth + 1)];
}
