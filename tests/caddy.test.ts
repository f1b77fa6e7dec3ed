// The files of deploy/caddy as Caddy runs them. A gateway believes what Caddy sends, so Caddy passes on nothing by which a
// client names itself, unless an authenticating proxy sent it.

import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";

import { expect, onTestFinished } from "vitest";

import { findCaddy, startCaddy } from "./support/caddy.ts";
import { type Relay, relayTest } from "./support/relay.ts";
import { until } from "./support/wait.ts";

const HEADER = "X-Forwarded-Email";
const ANN = "ann@example.com";
/** Where the authenticating proxy connects from. All of 127.0.0.0/8 is this machine. */
const SIGNS_IN = "127.0.0.9";

const test = relayTest({
  withoutWorker: true,
  settings: {
    TRUSTED_PROXIES: "127.0.0.0/8",
    CONSOLE_IDENTITY_HEADER: HEADER,
    CONSOLE_IDENTITIES: `${ANN}=admin, operators=admin`,
  },
});

async function openCaddy(program: string, relay: Relay, env: Record<string, string> = {}) {
  const gateway = { ingress: Number(new URL(relay.ingressUrl).port), api: Number(new URL(relay.apiUrl).port) };
  const caddy = await startCaddy(program, gateway, env);
  onTestFinished(caddy.stop);
  return caddy;
}

/** Signs in without a key, as the person whom a proxy may have named. */
async function signIn(apiUrl: string, headers: Record<string, string | string[]>, localAddress = "127.0.0.1") {
  const sent = request(new URL("/console/session", apiUrl), {
    method: "POST",
    localAddress,
    headers: { "sec-fetch-site": "same-origin", ...headers },
  }).end();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, body: JSON.parse(await text(answer)) };
}

test("a client that names itself in the header of identities is nobody", async ({ relay, skip }) => {
  const program = findCaddy();
  if (program === undefined) return skip("there is no caddy on this machine");
  // Directly, from an address that the gateway trusts, the header counts.
  expect(await signIn(relay.apiUrl, { [HEADER]: ANN })).toMatchObject({ status: 201, body: { name: ANN } });
  const environments = [
    { CONSOLE_IDENTITY_HEADER: HEADER },
    { CONSOLE_IDENTITY_HEADER: "x-forwarded-email", CONSOLE_IDENTITY_FROM: "" },
    { CONSOLE_IDENTITY_HEADER: HEADER, CONSOLE_IDENTITY_FROM: `${SIGNS_IN} 10.0.0.0/8` },
  ];
  for (const env of environments) {
    const { apiUrl } = await openCaddy(program, relay, env);
    const spellings: Record<string, string | string[]>[] = [
      { [HEADER]: ANN },
      { "x-FORWARDED-email": ANN },
      { [HEADER]: [ANN, ANN] },
      { x_forwarded_email: ANN },
      { "X-Forwarded_Email": ANN, [HEADER]: ANN },
      { [HEADER]: ANN, "x-forwarded-for": SIGNS_IN },
      { [HEADER]: ANN, forwarded: `for=${SIGNS_IN}` },
      { [HEADER]: ANN, connection: "close, x-forwarded-for" },
    ];
    for (const headers of spellings) {
      const answer = await signIn(apiUrl, headers);
      expect([answer.status, answer.body.detail], JSON.stringify({ env, headers })).toEqual([
        401,
        expect.stringContaining(`The proxy sent no header ${HEADER}`),
      ]);
    }
  }
});

test("an authenticating proxy in front of Caddy names people, and says by which scheme they came", async ({
  relay,
  skip,
}) => {
  const program = findCaddy();
  if (program === undefined) return skip("there is no caddy on this machine");
  const env = { CONSOLE_IDENTITY_HEADER: HEADER, CONSOLE_IDENTITY_FROM: `10.0.0.0/8 ${SIGNS_IN}` };
  const { apiUrl } = await openCaddy(program, relay, env);
  const answer = await signIn(apiUrl, { [HEADER]: ANN, "x-forwarded-proto": "https" }, SIGNS_IN);
  expect(answer).toMatchObject({ status: 201, body: { name: ANN, method: "identity" } });
  expect(String(answer.headers["set-cookie"])).toContain("__Host-sluice=");
  // The scheme is as little a client's to say as the name.
  const own = await signIn(apiUrl, { "x-forwarded-proto": "https", authorization: `Bearer ${relay.apiKey}` });
  expect(own.status).toBe(401);
});

test("a client says nothing of its address, by either header", async ({ relay, skip }) => {
  const program = findCaddy();
  if (program === undefined) return skip("there is no caddy on this machine");
  const { ingressUrl } = await openCaddy(program, relay);
  const sent = request(new URL("/in/gemini", ingressUrl), {
    method: "POST",
    localAddress: SIGNS_IN,
    headers: { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.1" },
  }).end("{}");
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  answer.resume();
  expect(answer.statusCode).toBeGreaterThanOrEqual(400);
  const { data } = await until(() => relay.call("GET", "/v1/rejections"), { accept: (list) => list.data.length > 0 });
  expect(data[0].remote_address).toBe(SIGNS_IN);
});
