// The token of a delivery that was pulled: the pull and the delivery, which are UUIDs. It proves nothing: whoever sends it
// has a key for the target, and a token of another target's delivery finds nothing there.

import { uuidText, writeUuid } from "@sluice/shared/domain/uuid";
import type { Pulled } from "@sluice/store/delivery/pulled";

const BYTES = 32;
/** 32 bytes in base64url. The last letter has four bits. */
export const PULL_TOKEN = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

export function formatPullToken({ pullId, deliveryId }: Pulled): string {
  const bytes = Buffer.alloc(BYTES);
  writeUuid(deliveryId, bytes, writeUuid(pullId, bytes, 0));
  return bytes.toString("base64url");
}

/** @param token that {@link PULL_TOKEN} matches. */
export function readPullToken(token: string): Pulled {
  const bytes = Buffer.from(token, "base64url");
  return { pullId: uuidText(bytes.subarray(0, BYTES / 2)), deliveryId: uuidText(bytes.subarray(BYTES / 2)) };
}
