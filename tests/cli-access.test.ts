// `sluice login`, `logout` and `whoami`, and which relay and which key every command takes.

import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";

import { expect, onTestFinished } from "vitest";

import { runSluice } from "./support/run-sluice.ts";
import { type Relay, test } from "./support/relay.ts";

/** The environment of a person who has nothing stored yet. */
function newHome(): { XDG_CONFIG_HOME: string } {
  const directory = mkdtempSync(join(tmpdir(), "sluice-home-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return { XDG_CONFIG_HOME: directory };
}

const profilesFile = ({ XDG_CONFIG_HOME: home }: { XDG_CONFIG_HOME: string }) => join(home, "sluice", "profiles.json");
const lines = (...all: string[]) => Readable.from(all.map((line) => `${line}\n`));

async function newKey(relay: Relay, name: string): Promise<string> {
  return (await relay.call("POST", "/v1/keys", { name, scopes: ["read"] })).key;
}

async function whoami(env: NodeJS.ProcessEnv, ...args: string[]) {
  const { code, out, err } = await runSluice(["whoami", "--json", ...args], { env });
  if (code !== 0) throw new Error(err);
  return JSON.parse(out.toString());
}

test("login stores what works, for its owner alone, and logout forgets it", async ({ relay }) => {
  const home = newHome();
  const key = await newKey(relay, "login-test");
  const piped = await runSluice(["login"], { env: home, stdin: lines(relay.apiUrl, key) });
  expect(piped).toMatchObject({ code: 0, out: Buffer.alloc(0) });
  expect(piped.err).toContain(`Logged in at ${relay.apiUrl} with the key login-test (read).`);
  expect(piped.err).not.toContain(key);
  expect(statSync(profilesFile(home)).mode & 0o777).toBe(0o600);
  expect(await whoami(home)).toMatchObject({ api: relay.apiUrl, key_from: "profile default", name: "login-test" });
  const table = await runSluice(["whoami"], { env: home });
  expect(table.out.toString()).toMatch(/^name +login-test$/m);

  expect(await runSluice(["logout"], { env: home })).toMatchObject({ code: 0 });
  expect(await runSluice(["logout"], { env: home })).toMatchObject({ code: 5 });
  expect(await runSluice(["whoami"], { env: { ...home, SLUICE_API: relay.apiUrl } })).toMatchObject({ code: 2 });
});

test("whoami says where a key is from that the relay refuses", async ({ relay }) => {
  const env = { ...newHome(), SLUICE_API: relay.apiUrl, SLUICE_API_KEY: "x".repeat(40) };
  const { code, out, err } = await runSluice(["whoami"], { env });
  expect({ code, out: out.toString() }).toEqual({ code: 4, out: "" });
  expect(err).toContain(`${relay.apiUrl} refuses the key from SLUICE_API_KEY`);
  expect(err).toMatch(/^request_id: \S+$/m);
});

test("login stores nothing that does not work", async ({ relay }) => {
  const home = newHome();
  const wrong = await runSluice(["login", "--api", relay.apiUrl], { env: home, stdin: lines("x".repeat(40)) });
  expect(wrong).toMatchObject({ code: 4, out: Buffer.alloc(0) });
  expect(wrong.err).toMatch(/^request_id: \S+$/m);
  const away = await runSluice(["login", "--api", "http://127.0.0.1:9"], { env: home, stdin: lines("a-key") });
  expect(away).toMatchObject({ code: 6 });
  for (const stdin of [lines("not a url", "a-key"), lines(relay.apiUrl), lines(relay.apiUrl, "two words")])
    expect(await runSluice(["login"], { env: home, stdin })).toMatchObject({ code: 2 });
  expect(() => statSync(profilesFile(home))).toThrow("ENOENT");
});

test("options come before the environment, that before the profile, and last is the relay of this machine", async ({
  relay,
}) => {
  const home = newHome();
  const [stored, ofEnvironment, named] = [
    await newKey(relay, "stored"),
    await newKey(relay, "of environment"),
    await newKey(relay, "named"),
  ];
  for (const [profile, key] of [
    ["default", stored],
    ["other", named],
  ] as const) {
    const stdin = lines(relay.apiUrl, key);
    expect(await runSluice(["login", "--profile", profile], { env: home, stdin })).toMatchObject({ code: 0 });
  }
  const keyFile = join(home.XDG_CONFIG_HOME, "key");
  writeFileSync(keyFile, `${ofEnvironment}\n`);
  expect(await whoami(home)).toMatchObject({ name: "stored" });
  expect(await whoami({ ...home, SLUICE_API_KEY: ofEnvironment })).toMatchObject({ name: "of environment" });
  expect(await whoami({ ...home, SLUICE_API_KEY_FILE: keyFile })).toMatchObject({ name: "of environment" });
  expect(await whoami({ ...home, SLUICE_API_KEY: ofEnvironment }, "--profile", "other")).toMatchObject({
    name: "named",
  });
  expect(await whoami({ ...home, SLUICE_API: "http://127.0.0.1:9" }, "--api", `${relay.apiUrl}/`)).toMatchObject({
    name: "stored",
  });
  const missing = await runSluice(["whoami", "--profile", "nobody"], { env: home });
  expect(missing).toMatchObject({ code: 2, err: expect.stringContaining("there is default, other") });
});

test("no key is sent to an address that it does not belong to", async ({ relay }) => {
  const home = newHome();
  const stdin = lines(relay.apiUrl, await newKey(relay, "bound"));
  expect(await runSluice(["login"], { env: home, stdin })).toMatchObject({ code: 0 });
  const elsewhere = await runSluice(["whoami", "--api", "http://127.0.0.1:9"], { env: home });
  expect(elsewhere).toMatchObject({
    code: 2,
    err: expect.stringContaining("There is no API key for http://127.0.0.1:9"),
  });
  const both = await runSluice(["whoami", "--profile", "default", "--api", "http://127.0.0.1:9"], { env: home });
  expect(both).toMatchObject({ code: 2, err: expect.stringContaining("is not sent to http://127.0.0.1:9") });
  const own = { api: relay.apiUrl, key: relay.apiKey, from: "ADMIN_API_KEY" };
  const findOwnRelay = () => own;
  const empty = newHome();
  const found = await runSluice(["whoami", "--json"], { env: empty, findOwnRelay });
  expect(JSON.parse(found.out.toString())).toMatchObject({ name: "ADMIN_API_KEY", key_from: "ADMIN_API_KEY" });
  const other = await runSluice(["whoami", "--api", "http://127.0.0.1:9"], { env: empty, findOwnRelay });
  expect(other).toMatchObject({ code: 2 });
});
