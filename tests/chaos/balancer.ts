// The load balancer in front of the gateways takes turns among the ready ones, and asks each gateway several times a
// second whether it is ready. It repeats a request at another gateway only when no part of the request can have arrived.
// It runs in this process, which saves a network hop.

import { setTimeout as delay } from "node:timers/promises";

import { Pool } from "undici";

import { httpGet } from "../../scripts/relay/http-get.ts";

export interface Backend {
  ingressUrl: string;
  readyUrl: string;
}

interface Reply {
  /** 0 when no gateway answered. */
  status: number;
  /** The body, or the reason why no answer came. */
  text: string;
}

export interface Balancer {
  post: (path: string, headers: Record<string, string>, body: string) => Promise<Reply>;
  stop: () => Promise<void>;
}

const PROBE_EVERY_MS = 250;
const PROBE_LIMIT_MS = 1_000;
/** Longer than a sender waits, so that a slow machine does not look like a slow relay. */
const ANSWER_LIMIT_MS = 30_000;
const CONNECT_LIMIT_MS = 10_000;
/** The error codes of connections that were never made. */
const NOT_CONNECTED = ["ECONNREFUSED", "UND_ERR_CONNECT_TIMEOUT"];

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
    // If no gateway is ready, the sender sees the answer of one of them.
    return ready.length > 0 ? ready : rotated;
  };
  const watch = async (upstream: Upstream) => {
    while (!stopping.signal.aborted) {
      upstream.isReady = (await httpGet(upstream.readyUrl, PROBE_LIMIT_MS)).status === 200;
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
          if (!(error instanceof Error && "code" in error && NOT_CONNECTED.includes(String(error.code)))) break;
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
