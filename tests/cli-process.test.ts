// `sluice` as a process, from the sources as in the bundle and by the script of a clone: how it ends, and what it says without a relay.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, onTestFinished } from "vitest";

import { test } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const PLACES = {
  bundle: fileURLToPath(new URL("../apps/cli/src/main.ts", import.meta.url)),
  clone: fileURLToPath(new URL("../scripts/sluice.ts", import.meta.url)),
} as const;

function run(place: keyof typeof PLACES, args: readonly string[], env: NodeJS.ProcessEnv) {
  const directory = mkdtempSync(join(tmpdir(), "sluice-cli-"));
  // What is set here is not read from the `.env` of a clone.
  const nothing = { SLUICE_API: "", SLUICE_API_KEY: "", SLUICE_API_KEY_FILE: "", ADMIN_API_KEY: "" };
  const child = spawn(process.execPath, [PLACES[place], ...args], {
    env: { ...nothing, PATH: process.env["PATH"], XDG_CONFIG_HOME: directory, DATA_DIR: directory, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = once(child, "close");
  let [out, err] = ["", ""];
  child.stdout.on("data", (data) => (out += String(data)));
  child.stderr.on("data", (data) => (err += String(data)));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await closed;
    rmSync(directory, { recursive: true });
  });
  return {
    said: () => out + err,
    signal: () => child.kill("SIGINT"),
    ended: closed.then(() => ({ code: child.exitCode, out, err })),
  };
}

/** Takes connections, and never answers. */
async function startSilentServer() {
  const server = createServer();
  let connections = 0;
  server.on("connection", (socket) => {
    connections++;
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  return { url: `http://127.0.0.1:${address.port}`, connections: () => connections };
}

test.for(["bundle", "clone"] as const)(
  "%s: Ctrl-C ends what runs until it is stopped with 0, also when the signal arrives twice",
  async (place, { relay }) => {
    const env = { SLUICE_API: relay.apiUrl, SLUICE_API_KEY: relay.apiKey };
    const watching = run(place, ["sources", "--watch", "--json"], env);
    await until(watching.said, { accept: (said) => said.includes('"name":"gemini"'), what: "the first round" });
    watching.signal();
    watching.signal();
    expect(await watching.ended).toMatchObject({ code: 0, err: "" });
  },
);

test.for(["bundle", "clone"] as const)("%s: Ctrl-C ends a command at once that waits for an answer", async (place) => {
  const { url, connections } = await startSilentServer();
  const env = { SLUICE_API: url, SLUICE_API_KEY: "a-key" };
  for (const [args, code] of [
    [["events", "list"], 130],
    [["events", "list", "--watch"], 0],
  ] as const) {
    const before = connections();
    const waiting = run(place, args, env);
    await until(connections, { accept: (count) => count > before, what: "the request" });
    const from = performance.now();
    waiting.signal();
    expect(await waiting.ended).toMatchObject({ code, out: "" });
    expect(performance.now() - from).toBeLessThan(7_000);
  }
});

test("in a clone without a relay, a command says how to start one, and ends with 6", async () => {
  const { code, out, err } = await run("clone", ["targets"], {}).ended;
  expect({ code, out }).toEqual({ code: 6, out: "" });
  expect(err).toContain("`npm start` starts one");
  // Another relay that was named needs a key.
  const named = await run("clone", ["targets"], { SLUICE_API: "http://127.0.0.1:9" }).ended;
  expect(named).toMatchObject({ code: 2, err: expect.stringContaining("There is no API key for http://127.0.0.1:9") });
});

test("in a clone no shell stands between npm and the command: it would end by the signal, whatever the command ends with", () => {
  const { scripts } = JSON.parse(readFileSync(fileURLToPath(new URL("../package.json", import.meta.url)), "utf8"));
  expect(scripts.sluice).toMatch(/^exec node /);
});
