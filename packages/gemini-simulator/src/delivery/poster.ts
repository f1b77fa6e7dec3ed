// Posts the attempts over real connections, which are kept for the next ones. Redirects are not followed.

import { Agent as HttpAgent, type ClientRequest, request as httpRequest } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";

export type PostResult = { kind: "answered"; status: number } | { kind: "failed"; reason: string };

export interface Poster {
  post: (uri: string, headers: Record<string, string>, body: string) => Promise<PostResult>;
  /** Cuts the requests that run, and closes all connections. */
  stop: () => void;
}

/** So many requests run at the same time to one address; others wait. */
const MAX_SOCKETS = 64;
const STOPPED = "the simulator stops";

/** @param timeoutMs the limit for a whole request, in real time. */
export function openPoster(timeoutMs: number): Poster {
  const agents = [new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }), new HttpsAgent({ keepAlive: true })];
  const running = new Set<ClientRequest>();
  const [httpAgent, httpsAgent] = agents;
  let isStopped = false;

  const post: Poster["post"] = (uri, headers, body) =>
    new Promise((resolve) => {
      if (isStopped) {
        resolve({ kind: "failed", reason: STOPPED });
        return;
      }
      const isSecure = uri.startsWith("https:");
      const options = { method: "POST", headers: { ...headers, "content-length": Buffer.byteLength(body) } };
      const request = isSecure
        ? httpsRequest(uri, { ...options, agent: httpsAgent })
        : httpRequest(uri, { ...options, agent: httpAgent });
      running.add(request);
      let limit: NodeJS.Timeout | undefined;
      // The time in which a request waits for a connection is the simulator's own.
      request.once("socket", () => {
        limit = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      });
      const settle = (result: PostResult) => {
        clearTimeout(limit);
        running.delete(request);
        resolve(result);
      };
      request.once("response", (response) => {
        response.resume();
        response.once("end", () => settle({ kind: "answered", status: response.statusCode ?? 0 }));
        response.once("error", (error) => settle({ kind: "failed", reason: error.message }));
      });
      request.once("error", (error) => settle({ kind: "failed", reason: error.message }));
      request.end(body);
    });

  return {
    post,
    stop: () => {
      isStopped = true;
      for (const request of running) request.destroy(new Error(STOPPED));
      for (const agent of agents) agent.destroy();
    },
  };
}
