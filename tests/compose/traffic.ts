// A sender as Gemini is one: it sends signed events at a rate, and sends each again until it is acknowledged.

import { setTimeout as delay } from "node:timers/promises";

import { geminiEvent, signWebhook } from "../support/sign.ts";

const PAUSE_MS = 250;
const REQUEST_LIMIT_MS = 20_000;

export interface Traffic {
  /** The webhook ids that were acknowledged so far. */
  acknowledged: string[];
  /** Why events were refused, and how often: `503`, `ECONNREFUSED`. */
  refusals: Map<string, number>;
  /** Sends nothing new, and resolves when everything is acknowledged. */
  stop: () => Promise<void>;
  /** A line for the report. */
  describe: () => string;
}

export function startTraffic(ingressUrl: string, secret: string, perSecond = 20): Traffic {
  const acknowledged: string[] = [];
  const refusals = new Map<string, number>();
  const open = new Set<Promise<void>>();
  let [firstRefusalMs, lastRefusalMs] = [0, 0];
  const stopping = new AbortController();

  const sendUntilAcknowledged = async () => {
    const event = signWebhook({ secret, body: geminiEvent() });
    for (;;) {
      const refusal = await post(ingressUrl, event.headers, event.body);
      if (refusal === undefined) break;
      refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
      lastRefusalMs = Date.now();
      if (firstRefusalMs === 0) firstRefusalMs = lastRefusalMs;
      await delay(PAUSE_MS);
    }
    acknowledged.push(event.webhookId);
  };
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      const sending = sendUntilAcknowledged().finally(() => open.delete(sending));
      open.add(sending);
      await delay(1_000 / perSecond);
    }
  })();

  return {
    acknowledged,
    refusals,
    stop: async () => {
      stopping.abort();
      await loop;
      await Promise.all(open);
    },
    describe: () => {
      const all = [...refusals].map(([reason, times]) => `${times} × ${reason}`).join(", ");
      const seconds = ((lastRefusalMs - firstRefusalMs) / 1_000).toFixed(1);
      const refused = all === "" ? "no request was refused" : `refused within ${seconds} s: ${all}`;
      return `${acknowledged.length} events acknowledged; ${refused}`;
    },
  };
}

/** @returns why the event was refused; undefined when it was acknowledged. */
async function post(url: string, headers: Record<string, string>, body: Buffer): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(REQUEST_LIMIT_MS);
    const answer = await fetch(`${url}/in/gemini`, { method: "POST", headers, body, signal });
    await answer.arrayBuffer();
    return answer.status === 200 ? undefined : String(answer.status);
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as { code?: string } | undefined) : undefined;
    return cause?.code ?? (error instanceof Error ? error.name : String(error));
  }
}
