// A pull target whose service has fetched an event, and reported that it failed.

import type { Relay } from "./relay.ts";
import { until } from "./wait.ts";

export async function makeFailingPullTarget(
  { call, sendEvent }: Pick<Relay, "call" | "sendEvent">,
  name: string,
): Promise<{ id: string }> {
  const { id } = await call("POST", "/v1/targets", { name, kind: "pull", subscribed_events: ["*"] });
  await sendEvent();
  const pull = () => call("POST", `/v1/targets/${id}:pull`, { max: 1, wait_seconds: 20 });
  const { deliveries } = await until(pull, { accept: (pulled) => pulled.deliveries.length > 0 });
  const [{ token }] = deliveries;
  await call("POST", `/v1/targets/${id}:ack`, { results: [{ token, status_code: 503, duration_ms: 12 }] });
  return { id };
}
