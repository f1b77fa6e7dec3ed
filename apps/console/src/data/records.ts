// The records of the API by the names that the console has for them.

import type { Schemas } from "@sluice/client/client";

export type EventRow = Schemas["Event"];
export type ShownEvent = Schemas["EventWithDeliveries"];
export type DeliveryRow = Schemas["Delivery"];
export type ShownDelivery = Schemas["DeliveryWithAttempts"];
export type ShownAttempt = Schemas["Attempt"];
