// Targets over TLS, with certificates of a CA that only the operator knows.

import type { ResolveHost } from "@sluice/shared/address/resolve-host";
import type { TargetTls } from "@sluice/store/configuration/target-tls";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";

import { makeClaimedDelivery, makeLoadedTarget } from "../../../../tests/support/in-hand.ts";
import { hasOpenssl, readNewCertificates, type TestCertificates } from "../../../../tests/support/certificates.ts";
import { guardOf } from "../../../../tests/support/guard.ts";
import { holdConnectionsTo, startTlsServer } from "../../../../tests/support/tls-server.ts";
import { until } from "../../../../tests/support/wait.ts";
import { OpenSockets } from "./open-sockets.ts";
import { Sender } from "./send.ts";
import { TargetConnections } from "./target-connections.ts";

const NO_TLS: TargetTls = { ca: null, serverName: null, clientCertificate: null, clientKey: null };
const SUCCESS = { statusCode: 200, error: null };

async function serve(...given: Parameters<typeof startTlsServer>) {
  const server = await startTlsServer(...given);
  onTestFinished(() => server.close());
  return server;
}

const resolve: ResolveHost = (_host, _options, done) => done(null, [{ address: "127.0.0.1", family: 4 }]);

function open({ ca }: { ca?: string } = {}) {
  const sockets = new OpenSockets(Number.POSITIVE_INFINITY);
  const connections = new TargetConnections({ guard: guardOf(), resolve, sockets, ca });
  onTestFinished(() => connections.destroy());
  const sender = new Sender(connections, sockets);
  const send = (uri: string, tls: Partial<TargetTls> | null = null) => {
    const target = makeLoadedTarget({ uri, tls: tls === null ? null : { ...NO_TLS, ...tls } });
    return sender.send(target, makeClaimedDelivery(target));
  };
  return { connections, send, sockets };
}

describe.runIf(hasOpenssl())("a target with a certificate of an internal CA", () => {
  let internal: TestCertificates;
  let other: TestCertificates;
  beforeAll(() => {
    internal = readNewCertificates();
    other = readNewCertificates();
  });

  test("is refused without the CA, and by another CA", async () => {
    const { port, requests } = await serve(internal);
    const { send } = open();
    const refused = { error: expect.stringMatching(/^connection: .*certificate/i), statusCode: null };
    expect(await send(`https://127.0.0.1:${port}/`)).toMatchObject(refused);
    expect(await send(`https://127.0.0.1:${port}/`, { ca: other.ca })).toMatchObject(refused);
    expect(await open({ ca: other.ca }).send(`https://127.0.0.1:${port}/`)).toMatchObject(refused);
    expect(requests).toHaveLength(0);
  });

  test("is reached with TARGET_CA_FILE, beside the CAs of the system, and with a CA of its own", async () => {
    const { port } = await serve(internal);
    expect(await open({ ca: internal.ca }).send(`https://127.0.0.1:${port}/`)).toMatchObject({
      ...SUCCESS,
      seen: { address: `127.0.0.1:${port}` },
    });
    const { send } = open({ ca: other.ca });
    expect(await send(`https://127.0.0.1:${port}/`, { ca: internal.ca })).toMatchObject(SUCCESS);
  });

  test("its own CA takes the place of TARGET_CA_FILE", async () => {
    const { port } = await serve(internal);
    const result = await open({ ca: internal.ca }).send(`https://127.0.0.1:${port}/`, { ca: other.ca });
    expect(result).toMatchObject({ statusCode: null });
  });

  test("is asked for its server_name, and must have a certificate of that name", async () => {
    const named = readNewCertificates("DNS:billing.internal");
    const { port, requests } = await serve(named);
    const { send } = open();
    const { ca } = named;
    expect(await send(`https://a.test:${port}/`, { ca })).toMatchObject({
      error: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID"),
    });
    expect(await send(`https://a.test:${port}/`, { ca, serverName: "billing.internal" })).toMatchObject(SUCCESS);
    expect(await send(`https://a.test:${port}/`, { ca, serverName: "other.internal" })).toMatchObject({
      statusCode: null,
    });
    expect(requests).toEqual([{ serverName: "billing.internal", client: undefined }]);
  });

  test("knows the relay by its client certificate, and refuses it without or with another one", async () => {
    const { port, requests } = await serve(internal, { withClients: true });
    const { send } = open({ ca: internal.ca });
    const uri = `https://127.0.0.1:${port}/`;
    const foreign = { clientCertificate: other.clientCertificate, clientKey: other.clientKey };
    for (const tls of [null, foreign]) expect(await send(uri, tls)).toMatchObject({ statusCode: null });
    const own = { clientCertificate: internal.clientCertificate, clientKey: internal.clientKey };
    expect(await send(uri, own)).toMatchObject(SUCCESS);
    // The connection with the certificate serves no target without it.
    expect(await send(uri)).toMatchObject({ statusCode: null });
    expect(requests).toEqual([{ serverName: false, client: "client" }]);
  });

  test("may answer 100 Continue first, with a client certificate too", async () => {
    const { port, requests } = await serve(internal, { withClients: true, before: "HTTP/1.1 100 Continue\r\n\r\n" });
    const { ca, clientCertificate, clientKey } = internal;
    const { send, sockets } = open();
    for (let sent = 0; sent < 2; sent++) {
      expect(await send(`https://127.0.0.1:${port}/`, { ca, clientCertificate, clientKey })).toMatchObject(SUCCESS);
    }
    expect(requests).toEqual(Array.from({ length: 3 }, () => ({ serverName: false, client: "client" })));
    await until(() => sockets.count === 0);
  });

  test("may take long for its part of the handshake", async () => {
    const { port } = await serve(internal);
    const held = await holdConnectionsTo(port);
    onTestFinished(() => held.close());
    const { send } = open({ ca: internal.ca });
    const sent = send(`https://127.0.0.1:${held.port}/`);
    await until(() => held.held() === 1);
    held.release();
    expect(await sent).toMatchObject(SUCCESS);
  });

  test("that ends the connection in the handshake is a failure, and every socket is closed", async () => {
    const held = await holdConnectionsTo(1);
    const { send, sockets } = open();
    const sent = send(`https://127.0.0.1:${held.port}/`);
    await until(() => held.held() === 1);
    held.close();
    expect(await sent).toMatchObject({ statusCode: null, error: expect.stringMatching(/^connection: /) });
    await until(() => sockets.count === 0);
  });

  test("keeps its connections while a target has these settings, shares them, and loses them afterwards", async () => {
    const { port, open: countOpen } = await serve(internal);
    const { connections, send, sockets } = open();
    const tls = { ...NO_TLS, ca: internal.ca };
    expect(connections.routeTo({ tls })).toBe(connections.routeTo({ tls: { ...tls } }));
    expect(connections.routeTo({ tls })).not.toBe(connections.routeTo({ tls: { ...tls, serverName: "a" } }));
    expect(await send(`https://127.0.0.1:${port}/`, tls)).toMatchObject(SUCCESS);
    connections.tidy([{ tls: null }, { tls }]);
    const route = connections.routeTo({ tls });
    expect(sockets.count).toBe(1);
    connections.tidy([{ tls: null }]);
    await until(() => sockets.count === 0 && countOpen() === 0);
    expect(connections.routeTo({ tls })).not.toBe(route);
    expect(await send(`https://127.0.0.1:${port}/`, tls)).toMatchObject(SUCCESS);
  });

  test("with settings that cannot be used fails, and says so", async () => {
    const { send } = open();
    expect(await send("https://127.0.0.1:9/", { clientCertificate: "no PEM", clientKey: "no PEM" })).toMatchObject({
      error: expect.stringMatching(/^connection: /),
    });
  });
});
