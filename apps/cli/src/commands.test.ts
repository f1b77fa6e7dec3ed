// Every command that calls the API, on a real relay: what it shows, its JSON, and its exit code for a mistake, a wrong key, a thing
// that does not exist, and a relay that is away.

import { randomBytes } from "node:crypto";

import { PassThrough } from "node:stream";

import { startGeminiSimulator } from "@sluice/gemini-simulator/simulator";
import type { JobData } from "@sluice/queue/jobs";
import type { Command } from "commander";
import { describe, expect } from "vitest";

import { test as base } from "../../../tests/support/database.ts";
import { claimPort } from "../../../tests/support/ports.ts";
import { openQueue } from "../../../tests/support/queue.ts";
import { startReceiver } from "../../../tests/support/receiver.ts";
import { type Relay, startRelay } from "../../../tests/support/relay.ts";
import { runSluice, type SluiceRun } from "../../../tests/support/run-sluice.ts";
import { SLUICE_CASES, type SluiceCase, type SluiceWorld } from "../../../tests/support/sluice-cases.ts";
import { until } from "../../../tests/support/wait.ts";
import { widthOf } from "./output/text.ts";
import { openProgram } from "./program.ts";
import { runCli } from "./run-cli.ts";

/** The commands that other tests run. */
const ELSEWHERE: Record<string, string> = {
  login: "tests/cli-access.test.ts",
  logout: "tests/cli-access.test.ts",
  completion: "apps/cli/src/completion.test.ts",
  doctor: "tests/cli-health.test.ts",
  "system log": "tests/cli-health.test.ts",
  open: "tests/cli-open.test.ts",
  listen: "tests/listen.test.ts",
  tail: "tests/tail-and-trigger.test.ts",
  trigger: "tests/tail-and-trigger.test.ts",
  verify: "tests/verify-captured.test.ts",
  sign: "apps/cli/src/verify/verify-command.test.ts",
  apply: "tests/configuration-file.test.ts",
  export: "tests/configuration-file.test.ts",
  backup: "tests/backup.test.ts",
  restore: "tests/backup.test.ts",
  rekey: "tests/rekey.test.ts",
  "lost-secrets": "tests/rekey.test.ts",
  "master-key new": "apps/cli/src/run-cli.test.ts",
  "master-key unseal": "tests/backup.test.ts",
};

/** A key that opens no command. Tries with a key that nobody has are soon refused for a while. */
const METRICS_KEY = `metrics-key-${randomBytes(16).toString("hex")}`;
const AWAY = "http://127.0.0.1:9";
const SET_ASIDE_LIMIT_MS = 120_000;

/** The words of each command that does something. */
function commandsOf(command: Command, words: readonly string[] = []): string[] {
  if (command.commands.length === 0) return [words.join(" ")];
  return command.commands.flatMap((one) => commandsOf(one, [...words, one.name()]));
}

async function prepareWorld(relay: Relay, receiver: Awaited<ReturnType<typeof startReceiver>>): Promise<SluiceWorld> {
  await relay.createTarget(receiver, { name: "first" });
  await relay.call("POST", "/v1/sources", { name: "dynamic", kind: "dynamic", audiences: ["relay"] });
  await relay.call("POST", "/v1/sources", { name: "managed", gemini_api_key: "AIzaSy-key-of-the-commands" });
  // Jobs that no version can store: they are set aside.
  const { producer } = await openQueue(relay);
  for (let count = 0; count < 4; count++)
    await producer.add("intake", { events: count } as unknown as JobData["intake"]);
  await relay.sendEvent();
  await relay.sendEvent();
  await receiver.waitFor(2);
  const wrong = await relay.sendEvent({ secret: `whsec_${randomBytes(32).toString("base64")}` }).catch(() => undefined);
  expect(wrong).toBeUndefined();
  const [delivery] = await until(async () => (await relay.call("GET", "/v1/deliveries?status=succeeded")).data, {
    accept: ({ length }) => length === 2,
  });
  const [attempt] = (await relay.call("GET", "/v1/attempts")).data;
  const set = await until(async () => (await relay.call("GET", "/v1/set-aside-events")).data, {
    accept: ({ length }) => length === 4,
    timeoutMs: SET_ASIDE_LIMIT_MS,
  });
  await until(async () => (await relay.call("GET", "/v1/rejections")).data, { accept: ({ length }) => length > 0 });
  const started = await relay.call("POST", "/v1/deliveries:retry", { target: delivery.target, status: ["succeeded"] });
  await until(() => relay.call("GET", `/v1/operations/${started.id}`), {
    accept: ({ state }) => state === "succeeded",
  });
  // The figures count what is done by hand, too.
  await until(() => relay.call("GET", "/v1/stats?group_by=target"), { accept: ({ data }) => data.length > 0 });
  return {
    event: delivery.event,
    delivery: delivery.id,
    attempt: attempt.id,
    dynamic: "dynamic",
    managed: "managed",
    setAside: set.map(({ id }: { id: string }) => id),
    operation: started.id,
    auditEntry: "",
    rejection: "",
    job: "",
    token: "",
  };
}

const test = base
  .extend("relay", { scope: "file" }, async ({ database }, { onCleanup }) => {
    const simulator = await startGeminiSimulator({ retry: { firstDelayMs: 100, maxDelayMs: 500 } });
    const port = String(await claimPort());
    const settings = {
      PORT: port,
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      GEMINI_BASE_URL: simulator.url,
      METRICS_KEY,
    };
    const relay = await startRelay(database, undefined, { settings });
    onCleanup(async () => {
      await relay.stop();
      await simulator.stop();
    });
    return relay;
  })
  .extend("run", { scope: "file" }, async ({ relay }) => {
    const env = { SLUICE_API: relay.apiUrl, SLUICE_API_KEY: relay.apiKey, XDG_CONFIG_HOME: "/nowhere" };
    return ({ command }: Pick<SluiceCase, "command">, args: readonly string[], changes: NodeJS.ProcessEnv = {}) =>
      runSluice([...command.split(" "), ...args], { env: { ...env, ...changes } });
  });

test("every command has a case here, or a test of its own", () => {
  const program = openProgram({} as Parameters<typeof openProgram>[0]);
  const covered = [...SLUICE_CASES.map(({ command }) => command), ...Object.keys(ELSEWHERE)];
  expect(covered.toSorted()).toEqual(commandsOf(program).toSorted());
});

const EXPECT_JSON: Record<SluiceCase["json"], (run: SluiceRun) => unknown> = {
  record: ({ out }) => {
    expect(out.toString().trimEnd()).not.toContain("\n");
    return JSON.parse(out.toString());
  },
  rows: ({ out }) => {
    const rows = out
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const row of rows) expect(row).toBeTypeOf("object");
    return rows[0];
  },
  nothing: ({ out }) => expect(out.toString()).toBe(""),
  bytes: () => undefined,
};

describe("on a real relay", () => {
  test("each command does what it says, shows it, and prints JSON", async ({ relay, run }) => {
    const receiver = await startReceiver();
    try {
      const world = await prepareWorld(relay, receiver);
      for (const one of SLUICE_CASES) {
        const { command, args = () => [], again = args, shows, json, code = 0, isOnce = false, keep } = one;
        const shown = await run(one, args(world));
        expect(shown, `${command}: ${shown.err}`).toMatchObject({ code });
        expect(shown.out.toString(), command).toMatch(shows);
        if (json === "bytes" || isOnce) continue;
        const printed = await run(one, [...again(world), "--json"]);
        expect(printed, `${command} --json: ${printed.err}`).toMatchObject({ code });
        const answer = EXPECT_JSON[json](printed);
        keep?.(answer as Record<string, string>, world);
      }
    } finally {
      await receiver.stop();
    }
  });

  test("a terminal gets lines that fit and names, colours only when they are wanted, and --watch goes on", async ({
    relay,
  }) => {
    const env = { SLUICE_API: relay.apiUrl, SLUICE_API_KEY: relay.apiKey, XDG_CONFIG_HOME: "/nowhere" };
    for (const columns of [80, 200]) {
      const terminal = { columns, rows: 30 };
      for (const list of [
        "events",
        "deliveries",
        "attempts",
        "targets",
        "sources",
        "audit",
        "rejections",
        "operations",
        "status",
        "doctor",
      ]) {
        const { code, out } = await runSluice([list], { env: { ...env, NO_COLOR: "1" }, terminal });
        expect(code).toBe(0);
        for (const line of out.toString().split("\n")) expect(widthOf(line), line).toBeLessThanOrEqual(columns);
      }
    }
    const ESCAPE = "\u001b[";
    const colours = async (args: string[], more: NodeJS.ProcessEnv, terminal?: { columns: number; rows: number }) =>
      (await runSluice(["targets", ...args], { env: { ...env, ...more }, ...(terminal && { terminal }) })).out.includes(
        ESCAPE,
      );
    const terminal = { columns: 100, rows: 30 };
    expect(await colours([], {}, terminal)).toBe(true);
    expect(await colours([], { NO_COLOR: "1" }, terminal)).toBe(false);
    expect(await colours(["--color", "never"], {}, terminal)).toBe(false);
    expect(await colours([], {})).toBe(false);
    expect(await colours(["--color", "always"], { NO_COLOR: "1" })).toBe(true);

    await relay.call("POST", "/v1/targets", { name: "away", uri: AWAY, subscribed_events: ["*"] });
    const tested = await runSluice(["targets", "test", "away"], { env });
    expect(tested).toMatchObject({ code: 1, err: expect.stringContaining("does not take the event: connection") });

    const stop = new AbortController();
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    let shown = "";
    stdout.on("data", (data) => (shown += String(data)));
    const context = { env, directory: "/", stdin, stdout, stderr, signal: stop.signal };
    const watched = runCli(["targets", "--watch", "--every", "0.1", "--json"], context);
    await relay.call("POST", "/v1/targets", { name: "watched", uri: "http://a.example/", subscribed_events: ["*"] });
    await until(() => shown.split('"name":"watched"').length > 2);
    stop.abort();
    expect(await watched).toBe(0);
  });

  test("mistakes in the usage end with 2, what does not exist with 5, and stdout stays empty", async ({ run }) => {
    const mistakes = SLUICE_CASES.flatMap((one) =>
      [["--no-such-option"], ...(one.mistake === undefined ? [] : [one.mistake])].map((args) => ({
        one,
        args,
        code: 2,
      })),
    );
    const missing = SLUICE_CASES.flatMap((one) =>
      one.missing === undefined ? [] : [{ one, args: one.missing, code: 5 }],
    );
    for (const { one, args, code } of [...mistakes, ...missing]) {
      const ended = await run(one, args);
      const text = `${one.command} ${args.join(" ")}: ${ended.err}`;
      expect(ended, text).toMatchObject({ code, out: Buffer.alloc(0) });
      expect(ended.err, text).not.toBe("");
    }
  });

  test("what the relay refuses is named by the option that gave it", async ({ run }) => {
    const err = async (command: string, ...args: string[]) => (await run({ command }, args)).err;
    expect(await err("events list", "--source", "nobody")).toContain("\n  --source must be");
    expect(await err("keys create", "--name", "x", "--scopes", "read,all")).toContain("\n  --scopes must be");
    expect(await err("deliveries retry")).toContain("\n  The command needs at least one filter, or --all");
    expect(await err("targets create", "--uri", "ftp://x")).toContain("\n  --uri must be");
  });

  test("a wrong key ends with 4 and the request id, and a relay that is away with 6", async ({ run }) => {
    // Arguments with which each command gets as far as a request.
    const lines = SLUICE_CASES.map((one) => ({
      one,
      args: one.missing ?? one.again?.(NOWHERE) ?? one.args?.(NOWHERE) ?? [],
    }));
    for (const { one, args } of lines) {
      const refused = await run(one, args, { SLUICE_API_KEY: METRICS_KEY });
      expect(refused, `${one.command}: ${refused.err}`).toMatchObject({ code: 4, out: Buffer.alloc(0) });
      expect(refused.err).toMatch(/^request_id: \S+$/m);
    }
    const [first] = SLUICE_CASES;
    const unknown = first && (await run(first, [], { SLUICE_API_KEY: `sluice_${"x".repeat(43)}` }));
    expect(unknown).toMatchObject({ code: 4, err: expect.stringContaining("sluice login") });
    await Promise.all(
      lines.map(async ({ one, args }) => {
        const away = await run(one, args, { SLUICE_API: AWAY });
        expect(away, `${one.command}: ${away.err}`).toMatchObject({ code: 6, out: Buffer.alloc(0) });
        expect(away.err).toContain("Is the relay running");
      }),
    );
  });
});

/** For command lines that end before anything is looked for. */
const NOWHERE: SluiceWorld = {
  event: "",
  delivery: "",
  attempt: "",
  dynamic: "nobody",
  managed: "nobody",
  setAside: [],
  operation: "",
  auditEntry: "",
  rejection: "",
  job: "",
  token: "",
};
