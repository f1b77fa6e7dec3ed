// The records of the API by the names that the console has for them.

import type { Schemas } from "@sluice/client/client";

export type EventRow = Schemas["Event"];
export type ShownEvent = Schemas["EventWithDeliveries"];
export type DeliveryRow = Schemas["Delivery"];
export type ShownDelivery = Schemas["DeliveryWithAttempts"];
export type ShownAttempt = Schemas["Attempt"];
export type OperationRow = Schemas["Operation"];
export type RejectionRow = Schemas["Rejection"];
export type SetAsideRow = Schemas["SetAsideEvent"];
export type ShownSetAside = Schemas["SetAsideEventWithBody"];
export type AuditRow = Schemas["AuditEntry"];
export type TargetRow = Schemas["Target"];
export type SourceRow = Schemas["Source"];
export type JobRow = Schemas["Job"];
export type KeyRow = Schemas["Key"];
