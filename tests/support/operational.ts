// Reads an operational event, and holds it against what the OpenAPI document says about its type.

import { OPERATIONAL_EVENTS } from "@sluice/gateway/api/openapi/operational-events";

interface OperationalEvent {
  type: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- what an event says is what a test asserts.
  data: any;
}

/** @throws Error for an event that the document does not describe, or describes otherwise. */
export function readOperational(body: Buffer | string): OperationalEvent {
  const event = JSON.parse(String(body)) as OperationalEvent;
  const described = Object.entries(OPERATIONAL_EVENTS).find(([type]) => type === event.type)?.[1];
  if (described === undefined) throw new Error(`The document describes no event of the type ${event.type}`);
  described.data.parse(event.data);
  return event;
}
