// Several gateways and workers behind the proxy, without TLS: a gateway that dies and a new version refuse nobody.

import assert from "node:assert/strict";

import { type Clone, runDocker } from "./clone.ts";
import { addTarget, callApi, receiveOnHost, untilReceived } from "./relay.ts";
import type { Scenario } from "./scenario.ts";
import { startTraffic } from "./traffic.ts";
import { until } from "../support/wait.ts";

const TOKEN = "a-token-that-no-log-may-have";

export const scale: Scenario = {
  name: "scale",
  about:
    "two gateways and three workers behind the proxy; one gateway dies, then both are replaced, and nobody is refused",
  run: async ({ clone, saw, atEnd }) => {
    const env = { COMPOSE_FILE: "docker-compose.yml:compose.proxy.yaml", GATEWAYS: "2", WORKERS: "3" };
    const relay = await clone({ env });
    await relay.mustCompose("up", "-d", "--build", "--wait");
    const gateways = await relay.containers("gateway");
    assert.deepEqual([gateways.length, (await relay.containers("worker")).length], [2, 3]);
    const receiver = await receiveOnHost();
    atEnd(receiver.stop);
    await addTarget(relay, receiver.url());
    saw("2 gateways, 3 workers and the proxy are ready");

    const traffic = startTraffic(relay.ingressUrl, relay.secret);
    const untilMore = (count: number) => {
      const aim = traffic.acknowledged.length + count;
      return until(() => traffic.acknowledged.length >= aim);
    };
    await untilMore(50);
    const handled = await Promise.all(gateways.map(({ ID }) => countRequests(ID)));
    assert.ok(
      handled.every((count) => count > 0),
      `requests at each gateway: ${handled.join(", ")}`,
    );
    saw(`both gateways took events: ${handled.join(" and ")}`);

    await runDocker(["kill", gateways[0]?.ID ?? ""]);
    await untilMore(100);
    assert.deepEqual([...traffic.refusals], [], "a gateway died");
    saw(`a gateway was killed: ${traffic.describe()}`);

    const stores = await Promise.all(["postgres", "redis"].map((service) => relay.containers(service)));
    // Another commit is another image.
    relay.set({ SLUICE_COMMIT: "another" });
    await relay.follow("upgrading", "rolling upgrade");
    const replaced = await relay.containers("gateway");
    assert.equal(replaced.length, 2);
    assert.ok(replaced.every(({ ID }) => !gateways.some((old) => old.ID === ID)));
    const after = await Promise.all(["postgres", "redis"].map((service) => relay.containers(service)));
    assert.deepEqual(
      after.flat().map(({ ID }) => ID),
      stores.flat().map(({ ID }) => ID),
    );
    // The workers come last, and the old gateways take a second to stop before. So no gateway was made a second time.
    const [gatewaysMs, workersMs] = await Promise.all(["gateway", "worker"].map((name) => readMakings(relay, name)));
    assert.ok((workersMs?.[0] ?? 0) - (gatewaysMs?.at(-1) ?? 0) > 1_000, JSON.stringify({ gatewaysMs, workersMs }));
    await untilMore(50);
    await traffic.stop();
    assert.deepEqual([...traffic.refusals], [], "both gateways were replaced");
    await untilReceived(receiver, traffic.acknowledged);
    saw(`both gateways were replaced by another build: ${traffic.describe()}; all were delivered`);

    // The address of the sender, and not that of the proxy: the proxy is trusted.
    await fetch(`${relay.ingressUrl}/in/gemini`, {
      method: "POST",
      body: "{}",
      headers: { "x-forwarded-for": "192.0.2.1" },
    });
    const rejections = await until(() => callApi(relay, "GET", "/v1/rejections"), {
      accept: ({ body }) => body.data.length > 0,
    });
    const address = rejections.body.data[0].remote_address as string;
    const [proxy] = await relay.containers("proxy");
    const { stdout } = await runDocker([
      "inspect",
      "--format",
      "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}",
      proxy?.ID ?? "",
    ]);
    assert.ok(!stdout.split(" ").includes(address), `the address of the proxy: ${address}`);
    assert.notEqual(address, "192.0.2.1");
    saw(`a refusal has the address from which the request came (${address}), and not what the request said`);

    await relay.mustCompose("stop", "gateway");
    const refused = await fetch(`${relay.ingressUrl}/in/dynamic/${TOKEN}`, { method: "POST", body: "{}" });
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "5"]);
    const log = await relay.mustCompose("logs", "proxy");
    assert.match(log, /"status":50\d|dial|lookup/);
    assert.ok(!log.includes(TOKEN), log);
    saw("without a gateway the answer is 503 with Retry-After, and the log of the proxy has no path");
  },
};

/** When the containers of a service were made, the first one first. */
async function readMakings(relay: Clone, service: string): Promise<number[]> {
  const ids = (await relay.containers(service)).map(({ ID }) => ID);
  const { stdout } = await runDocker(["inspect", "--format", "{{.Created}}", ...ids]);
  return stdout
    .trim()
    .split("\n")
    .map((text) => Date.parse(text))
    .toSorted((one, other) => one - other);
}

async function countRequests(container: string): Promise<number> {
  const { output } = await runDocker(["logs", container]);
  return output.split("\n").filter((line) => line.includes('"source":"gemini"')).length;
}
