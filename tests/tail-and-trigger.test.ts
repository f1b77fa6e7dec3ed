// `sluice trigger` and `sluice tail` on a real relay: what is sent arrives at the target and in the tail.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { EXAMPLE_TYPES } from "@sluice/cli/trigger/gemini-examples";
import { expect, onTestFinished } from "vitest";

import { type Relay, test } from "./support/relay.ts";
import { runSluice } from "./support/run-sluice.ts";
import { until } from "./support/wait.ts";

async function run(relay: Relay, ...args: string[]) {
  const env = { SLUICE_API: relay.apiUrl, SLUICE_API_KEY: relay.apiKey };
  const { code, out, err } = await runSluice(args, { env });
  const lines = out
    .toString()
    .split("\n")
    .filter((line) => line !== "");
  return { code, lines, err };
}

const jsonLines = (lines: readonly string[]) => lines.map((line) => JSON.parse(line));

test("each type of Gemini's catalogue is a ready example, and arrives", async ({ relay, receiver }) => {
  await relay.createTarget(receiver);
  expect((await run(relay, "trigger")).lines).toEqual(EXAMPLE_TYPES);
  for (const type of EXAMPLE_TYPES) {
    const { code, lines, err } = await run(relay, "trigger", type, "--json");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(jsonLines(lines)).toMatchObject([{ deliveries: 1, is_duplicate: false }]);
  }
  const requests = await receiver.waitFor(EXAMPLE_TYPES.length);
  const bodies = requests.map(({ body }) => JSON.parse(String(body)));
  expect(bodies.map(({ type }) => String(type)).toSorted()).toEqual(EXAMPLE_TYPES.toSorted());
  expect(bodies.find(({ type }) => type === "video.generated").data).toMatchObject({ file_name: expect.any(String) });
  await relay.deleteTargets(receiver);
});

test("fields, metadata, labels, a file and a single target are as the options say", async ({ relay, receiver }) => {
  const target = await relay.createTarget(receiver, { name: "chosen", subscribed_events: ["nothing.else"] });
  await relay.createTarget(receiver, { name: "another" });
  const directory = mkdtempSync(join(tmpdir(), "sluice-trigger-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "payload.json");
  writeFileSync(file, JSON.stringify({ type: "custom.type", data: { id: "x", kept: true }, user_metadata: { a: 1 } }));
  const args = ["--file", file, "--data", "id=batch_7", "--data", "usage.tokens=12", "--data", "text=12 apples"];
  const more = ["--metadata", "team=billing", "--label", "team=billing", "--target", "chosen"];
  const { code, lines } = await run(relay, "trigger", ...args, ...more);
  expect(code).toBe(0);
  expect(lines).toEqual([expect.stringMatching(/^evt_\S+ {2}custom\.type {2}1 delivery$/)]);
  const [request] = await receiver.waitFor(1);
  expect(JSON.parse(String(request?.body))).toMatchObject({
    type: "custom.type",
    data: { id: "batch_7", kept: true, usage: { tokens: 12 }, text: "12 apples" },
    user_metadata: { a: 1, team: "billing" },
  });
  const id = lines[0]?.split(" ")[0];
  const { data } = await relay.call("GET", `/v1/deliveries?event=${id}`);
  expect(data).toMatchObject([{ target: target.id }]);
  expect(await relay.call("GET", `/v1/events/${id}`)).toMatchObject({ labels: { team: "billing" } });
  await relay.deleteTargets(receiver);
});

test("many events go out at a rate, each once", async ({ relay, receiver }) => {
  await relay.createTarget(receiver);
  const { lines } = await run(relay, "trigger", "batch.succeeded", "--count", "40", "--rate", "200", "--json");
  expect(new Set(jsonLines(lines).map(({ id }) => id)).size).toBe(40);
  await receiver.waitFor(40);
  await relay.deleteTargets(receiver);
});

test("the tail shows an event, its attempt and its delivery, by names and as JSON", async ({ relay, receiver }) => {
  await relay.createTarget(receiver, { name: "tailed" });
  const env = { SLUICE_API: relay.apiUrl, SLUICE_API_KEY: relay.apiKey };
  const tails = [
    ["--kind", "event", "--type", "batch.failed"],
    ["--kind", "attempt", "--target", "tailed"],
    ["--kind", "delivery", "--status", "succeeded"],
    ["--kind", "attempt", "--target", "tailed", "--json"],
  ].map((args) => runSluice(["tail", ...args, "--count", "1"], { env }));
  await until(async () => (await relay.readMetrics()).includes("sluice_tail_clients 4"), { what: "the tails" });
  const { lines } = await run(relay, "trigger", "batch.failed", "--json");
  const [{ id }] = jsonLines(lines);
  const [event, attempt, delivery, asJson] = (await Promise.all(tails)).map(({ out }) => out.toString());
  expect(event).toMatch(new RegExp(`event +batch\\.failed +api +${id}`));
  expect(attempt).toMatch(/attempt +200 {2}\d+ ms {2}#1 +tailed/);
  expect(delivery).toMatch(/delivery +succeeded +tailed/);
  expect(JSON.parse(asJson ?? "")).toMatchObject({ event: "attempt", data: { event: id, status_code: 200 } });
  await relay.deleteTargets(receiver);
});

test.for([
  [["trigger", "batch.succeeded", "--data", "nothing"], 2, "--data must be such as"],
  [["trigger", "batch.succeeded", "--data", "__proto__.x=1"], 2, "--data must be such as"],
  [["trigger", "batch.succeeded", "--label", "nothing"], 2, "--label must be such as"],
  [["trigger", "batch.succeeded", "--count", "0"], 2, "must be a whole number from 1"],
  [["trigger", "batch.succeeded", "--rate", "fast"], 2, "must be a whole number from 1"],
  [["trigger", "batch.succeeded", "--file", "/dev/null"], 2, "no JSON object"],
  [["trigger", "batch.succeeded", "--target", "nobody"], 5, 'no target with the name or the id "nobody"'],
  [["trigger", "with a space"], 2, 'must be the name of an event such as "batch.succeeded"'],
  [["tail", "--kind", "nothing"], 2, "Choose from event, attempt, delivery"],
  [["tail", "--target", "nobody"], 5, 'no target with the name or the id "nobody"'],
  [["tail", "--for", "ever"], 2, "must be a whole number from 1"],
] as const)("%j ends with %i and says why", async ([args, code, message], { relay }) => {
  const answer = await run(relay, ...args);
  expect(answer).toMatchObject({ code, lines: [] });
  expect(answer.err).toContain(message);
});
