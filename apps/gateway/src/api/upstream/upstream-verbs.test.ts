// When a call to Gemini fails, whichever it is, the answer and the source say what happened and what to do.

import { describe, expect } from "vitest";

import type { CallFault } from "@sluice/gemini-simulator/api/call-faults";

import { test } from "../../../../../tests/support/api/test-api.ts";
import { makeUpstreamSource, openUpstreamApi } from "../../../../../tests/support/api/upstream-api.ts";

const ROUTES: Record<string, string[]> = {
  register: ["webhooks.list", "webhooks.create", "webhooks.ping", "webhooks.get"],
  check: ["webhooks.get"],
  rotate: ["webhooks.rotateSigningSecret", "webhooks.get"],
  heal: ["webhooks.update", "webhooks.ping", "webhooks.get"],
  deregister: ["webhooks.delete"],
};
type Failure = CallFault["failure"];
const FAILURES: [string, Failure, string, RegExp][] = [
  ["a lost connection", { kind: "cut" }, "gemini_failed", /check the network between Sluice and GEMINI_BASE_URL/],
  ["400", { kind: "error", status: 400 }, "gemini_refused", /Google says above/],
  ["401", { kind: "error", status: 401 }, "gemini_refused", /set a valid gemini_api_key/],
  ["403", { kind: "error", status: 403 }, "gemini_refused", /set another gemini_api_key/],
  ["404", { kind: "error", status: 404 }, "gemini_refused", /it was deleted/],
  ["429", { kind: "error", status: 429, retryAfterSeconds: 0 }, "gemini_failed", /Sluice tries again later/],
  ["500", { kind: "error", status: 500 }, "gemini_failed", /Sluice tries again/],
  ["500 in the other form", { kind: "error", status: 500, form: "string_code" }, "gemini_failed", /Sluice tries again/],
];

describe.each(FAILURES)("%s", (_, failure, code, advice) => {
  test.for(Object.entries(ROUTES).flatMap(([verb, routes]) => routes.map((route) => [verb, route] as const)))(
    "in :%s at %s says what happened and what to do",
    async ([verb, route], { api: base }) => {
      const api = await openUpstreamApi(base);
      const { path } = await makeUpstreamSource(api);
      if (verb !== "register") await api.call("POST", `${path}:register`);
      api.simulator.faults.calls.add({ failure, route });
      const answer = await api.call("POST", `${path}:${verb}`);
      // A ping and the look at the end come after the work is done.
      const isDone = verb !== "check" && (route === "webhooks.ping" || route === "webhooks.get");
      const isGone = verb === "deregister" && failure.kind === "error" && failure.status === 404;
      if (isGone) {
        expect(answer.status).toBe(204);
        return;
      }
      if (isDone) {
        expect(answer.status).toBe(200);
        const warnings = answer.body.warnings as { code: string; detail: string }[];
        const warning = warnings.find(
          (each) => each.code === (route === "webhooks.ping" ? "ping_failed" : "not_checked"),
        );
        expect(warning?.detail).toMatch(advice);
        expect(warning?.detail).toContain(route);
      } else {
        expect(answer.status).toBe(502);
        expect(answer.body.code).toBe(code);
        expect(answer.body.detail).toMatch(advice);
        expect(answer.body.detail).toContain(route);
        expect(answer.headers.get("retry-after")).toBe(code === "gemini_failed" ? "60" : null);
      }
      const { body: upstream } = await api.call("GET", path);
      if (verb !== "deregister" && route !== "webhooks.ping") {
        expect(upstream.problem.detail).toMatch(advice);
        // What may succeed later is still to be done, and what cannot is given up.
        const isOpen = !isDone && verb !== "check" && code === "gemini_failed";
        expect(upstream.under_way?.action ?? null).toBe(isOpen ? verb : null);
      }
      api.simulator.faults.calls.clear();
      const retried = await api.call("POST", `${path}:${verb}`);
      if (verb === "heal" || verb === "check" || verb === "rotate" || verb === "register") {
        expect(retried.status).toBe(200);
        expect(retried.body.upstream).toMatchObject({ under_way: null, problem: null, state: "enabled", drift: [] });
      }
    },
  );
});
