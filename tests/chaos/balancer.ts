// What stands before the gateways: takes turns among those that are ready, asks each for that several times a second,
// and sends a request elsewhere only when nothing of it can have arrived. In this process: a hop less to pay for.

import { get } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

import { Pool } from "undici";

export interface Backend {
  ingressUrl: string;
  readyUrl: string;
}

interface Reply {
  /** 0 when no gateway answered. */
  status: number;
  /** The body, or why there is no answer. */
  text: string;
}

export interface Balancer {
  post: (path: string, headers: Record<string, string>, body: string) => Promise<Reply>;
  stop: () => Promise<void>;
}

const PROBE_EVERY_MS = 250;
const PROBE_LIMIT_MS = 1_000;
/** Longer than a sender waits, so that a machine that is busy with others does not read as a relay that is. */
const ANSWER_LIMIT_MS = 30_000;
const CONNECT_LIMIT_MS = 10_000;
/** Of a connection that was never made. */
const UNTOUCHED = ["ECONNREFUSED", "UND_ERR_CONNECT_TIMEOUT"];

interface Upstream extends Backend {
  isReady: boolean;
  pool: Pool;
}

export function startBalancer(backends: readonly Backend[]): Balancer {
  const upstreams: Upstream[] = backends.map((backend) => ({
    ...backend,
    isReady: true,
    pool: new Pool(backend.ingressUrl, {
      connections: 256,
      connectTimeout: CONNECT_LIMIT_MS,
      headersTimeout: ANSWER_LIMIT_MS,
      bodyTimeout: ANSWER_LIMIT_MS,
    }),
  }));
  const stopping = new AbortController();
  let turn = 0;
  const inTurn = () => {
    turn = (turn + 1) % upstreams.length;
    const rotated = [...upstreams.slice(turn), ...upstreams.slice(0, turn)];
    const ready = rotated.filter(({ isReady }) => isReady);
    // With none ready, one of them answers for itself.
    return ready.length > 0 ? ready : rotated;
  };
  const watch = async (upstream: Upstream) => {
    while (!stopping.signal.aborted) {
      upstream.isReady = (await probe(upstream.readyUrl)) === 200;
      await delay(PROBE_EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const watching = upstreams.map(watch);
  return {
    post: async (path, headers, body) => {
      let failure = "";
      for (const upstream of inTurn()) {
        try {
          const response = await upstream.pool.request({ path, method: "POST", headers, body });
          return { status: response.statusCode, text: await response.body.text() };
        } catch (error) {
          failure = String(error);
          upstream.isReady = false;
          if (!(error instanceof Error && "code" in error && UNTOUCHED.includes(String(error.code)))) break;
        }
      }
      return { status: 0, text: failure };
    },
    stop: async () => {
      stopping.abort();
      await Promise.all([...watching, ...upstreams.map(({ pool }) => pool.destroy())]);
    },
  };
}

/** Status 0 is no answer in time. */
function probe(url: string): Promise<number> {
  return new Promise((resolve) => {
    const asking = get(url, { agent: false, timeout: PROBE_LIMIT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asking.once("timeout", () => asking.destroy()).once("error", () => resolve(0));
  });
}
