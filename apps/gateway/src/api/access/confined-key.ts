// What a key that is for one target may do: pull for it, and read the target and its deliveries. Failure policy: closed. This
// list says what is allowed, so that a route which somebody adds is not.

import type { Context } from "hono";

import { readId } from "@sluice/shared/domain/ids";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Database } from "@sluice/store/connection/database";
import { getDelivery } from "@sluice/store/log/records";

import type { ApiEnv } from "../http/api-env.ts";
import { publicPath } from "../http/custom-verb.ts";

const VERB = /^\/v1\/targets\/([^/]+):(?:pull|ack|extend)$/;
const TARGET = /^\/v1\/targets\/([^/:]+)$/;
const DELIVERIES = "/v1/deliveries";
const DELIVERY = /^\/v1\/deliveries\/([^/:]+)$/;

/**
 * MUST run before routing.
 * @throws SluiceError `forbidden`, and `not_found` for a delivery of another target, as if there were none.
 */
export async function confineToTarget(c: Context<ApiEnv>, db: Database, targetId: string): Promise<void> {
  const path = publicPath(c.req.path);
  const isOwn = (text: string | undefined) => text !== undefined && readId("tgt", text) === targetId;
  if (c.req.method === "POST" && isOwn(VERB.exec(path)?.[1])) return;
  if (c.req.method === "GET" || c.req.method === "HEAD") {
    if (isOwn(TARGET.exec(path)?.[1])) return;
    const targets = c.req.queries("target") ?? [];
    if (path === DELIVERIES && targets.length === 1 && isOwn(targets[0])) return;
    const delivery = DELIVERY.exec(path)?.[1];
    if (delivery !== undefined) {
      const id = readId("dlv", delivery);
      if (id !== undefined && (await getDelivery(db, id))?.targetId === targetId) return;
      throw new SluiceError("not_found", "There is no delivery with this id");
    }
  }
  throw new SluiceError(
    "forbidden",
    "This API key is for one target: it may pull for it, read it, and read its deliveries (GET /v1/deliveries?target=…)",
  );
}
