// A delivery that a worker holds, for tests of the endpoints that show and change one.

import { formatId } from "@sluice/shared/domain/ids";
import type { TargetSettings } from "@sluice/store/configuration/targets";

import { seedEvent, type TestApi } from "./api/test-api.ts";
import { seedTarget } from "./seed.ts";

/**
 * Stores a target and an event with one delivery to it, leased by this test's worker.
 * @returns the ids as UUIDs, and the path of the delivery in the API.
 */
export async function seedLeasedDelivery(api: TestApi, settings: Partial<TargetSettings> = {}) {
  const targetId = await seedTarget(api.db, settings);
  const { eventId, webhookId, deliveryIds } = await seedEvent(api, [targetId]);
  const id = deliveryIds[0] ?? "";
  return { targetId, eventId, webhookId, id, path: `/v1/deliveries/${formatId("dlv", id)}` };
}
