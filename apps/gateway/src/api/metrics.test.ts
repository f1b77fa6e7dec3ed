import { describe, expect } from "vitest";

import { ADMIN_KEY, storeKey, test } from "../../../../tests/support/api/test-api.ts";
import { Metrics } from "../metrics.ts";
import { createApi } from "./api.ts";

describe("/metrics", () => {
  test("needs a key with the scope read", async ({ api }) => {
    expect((await api.call("GET", "/metrics", { key: null })).status).toBe(401);
    expect((await api.call("GET", "/metrics", { key: "wrong" })).status).toBe(401);
    const app = createApi(api);
    const key = await storeKey(api, ["read"]);
    const response = await app.request("/metrics", { headers: { authorization: `Bearer ${key}` } });
    expect(response.status).toBe(200);
    await response.body?.cancel();
  });

  test("has the counters of this gateway and of its process, in the text format of Prometheus", async ({ api }) => {
    const metrics = new Metrics();
    const app = createApi({ ...api, metrics });
    const read = async () => {
      const response = await app.request("/metrics", { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
      expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
      expect(response.headers.get("cache-control")).toBe("no-store");
      return response.text();
    };
    expect(await read()).toContain("\nsluice_rejections_dropped_total 0\n");
    metrics.countRequest({ source: "gemini", status: 200, durationMs: 2 });
    metrics.countRefusal("gemini", "unknown_key");
    metrics.countDroppedRejections(3);
    const text = await read();
    for (const series of [
      'sluice_ingress_requests_total{source="gemini",outcome="accepted"} 1',
      'sluice_ingress_refused_total{source="gemini",reason="unknown_key"} 1',
      "sluice_rejections_dropped_total 3",
      'sluice_ingress_duration_seconds_count{outcome="accepted"} 1',
    ]) {
      expect(text).toContain(`\n${series}\n`);
    }
    expect(text).toContain("\nprocess_resident_memory_bytes ");
    // Every line is a comment, a sample or empty: https://prometheus.io/docs/instrumenting/exposition_formats/
    const malformed = text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("# ") && !/^[a-z_]\w*(\{[^}]*\})? [-+\w.]+$/i.test(line));
    expect(malformed).toEqual([]);
  });

  test("takes only GET and HEAD, and no parameters", async ({ api }) => {
    const posted = await api.call("POST", "/metrics");
    expect(posted).toMatchObject({ status: 405, body: { code: "method_not_allowed" } });
    expect(posted.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    expect((await api.call("HEAD", "/metrics")).status).toBe(200);
    expect((await api.call("GET", "/metrics?name=x")).body.errors[0].pointer).toBe("?name");
  });
});
