// Generates a client from the document, as a user of the API would. A program that uses the client must compile and must
// work. If the document and the API differ, one of the two fails.

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { generateSource } from "oazapfts";
import { expect, onTestFinished } from "vitest";

import { closeServer, listen } from "@sluice/shared/runtime/http-server";

import { ADMIN_KEY, recordAttempt, seedEvent, test } from "../../../../../tests/support/api/test-api.ts";
import { openServer } from "../../http/server.ts";
import { createApi } from "../api.ts";

const run = promisify(execFile);

/** The client is compiled inside of this app, because its packages are installed there. */
const GATEWAY = join(import.meta.dirname, "../../..");

const PROGRAM = `
import { HttpError, ok } from "@oazapfts/runtime";

import * as sluice from "./client.ts";

sluice.defaults.baseUrl = process.env["API"]!;
sluice.defaults.headers = { authorization: \`Bearer \${process.env["KEY"]}\` };

const { id, signing_secrets: secrets } = await ok(
  sluice.createTarget({ uri: "http://a.example/hook", subscribed_events: ["batch.*"], name: "typed" }),
);
const truncated: string | undefined = secrets[0]?.truncated_secret;
const changed = await ok(sluice.updateTarget(id, { max_in_flight: 3 }));
const inFlight: number = changed.max_in_flight;
// @ts-expect-error there is no such field
const nothing: unknown = changed.max_inflight;

const exhausted = await ok(sluice.listDeliveries({ status: ["exhausted"], limit: 1 }));
const retried = await ok(sluice.retryDelivery(exhausted.data[0]!.id, {}));
const status: "pending" | "succeeded" | "exhausted" | "cancelled" = retried.status;
const type: string | null | undefined = (await ok(sluice.listEvents())).data[0]?.type;

const code = await ok(sluice.getEvent("evt_01h455vb4pex5vsknk084sn02q")).catch((error: unknown) => {
  if (!(error instanceof HttpError)) throw error;
  const problem: sluice.Problem = error.data;
  return problem.code;
});

console.log(JSON.stringify({ truncated, inFlight, nothing, status, code, type }));
`;

const TSCONFIG = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024", "dom"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    rewriteRelativeImportExtensions: true,
    skipLibCheck: true,
  },
  include: ["*.ts"],
};

test("a client generated from the document has types that hold, and works", async ({ api }) => {
  const { body: target } = await api.call("POST", "/v1/targets", {
    body: { uri: "http://b.example/", subscribed_events: ["*"] },
  });
  const { rows } = await api.db.pool.query<{ id: string }>("SELECT id FROM targets WHERE uri = $1", [target.uri]);
  const { deliveryIds } = await seedEvent(
    api,
    rows.map(({ id }) => id),
  );
  await recordAttempt(api, deliveryIds[0] ?? "", { status: "exhausted" });

  const app = createApi(api);
  const { server } = openServer(app.fetch, api.log);
  const url = await listen(server, { host: "127.0.0.1", port: 0 }, "API_PORT");
  onTestFinished(() => closeServer(server, 0));

  const cache = join(GATEWAY, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "typed-client-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  write("openapi.json", await (await app.request("/openapi.json")).text());
  write("client.ts", await generateSource(join(folder, "openapi.json"), { mergeReadWriteOnly: true }));
  write("program.ts", PROGRAM);
  write("package.json", JSON.stringify({ type: "module" }));
  write("tsconfig.json", JSON.stringify(TSCONFIG));

  const checked = await run(join(GATEWAY, "node_modules/.bin/tsc"), ["--project", folder]).catch(
    (error: unknown) => error,
  );
  expect((checked as { stdout: string }).stdout).toBe("");
  const env = { ...process.env, API: url, KEY: ADMIN_KEY };
  const { stdout } = await run(process.execPath, [join(folder, "program.js")], { env });
  expect(JSON.parse(stdout)).toEqual({
    truncated: expect.stringMatching(/^whsec_\.\.\./),
    inFlight: 3,
    status: "pending",
    code: "not_found",
    type: "batch.succeeded",
  });
});
