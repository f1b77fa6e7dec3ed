// A target with a certificate of an internal CA that knows the relay by a client certificate: from the API to the delivery.

import { expect, onTestFinished } from "vitest";

import { hasOpenssl, readNewCertificates } from "./support/certificates.ts";
import { relayTest } from "./support/relay.ts";
import { startTlsServer } from "./support/tls-server.ts";
import { until } from "./support/wait.ts";

const test = relayTest();

test.runIf(hasOpenssl())(
  "deliveries arrive once the target has its CA and the client certificate",
  async ({ relay, receiver }) => {
    const certificates = readNewCertificates();
    const server = await startTlsServer(certificates, { withClients: true });
    onTestFinished(() => server.close());
    const target = await relay.createTarget(receiver, { uri: `https://127.0.0.1:${server.port}/` });
    await relay.sendEvent();
    const find = async () => (await relay.call("GET", `/v1/deliveries?target=${target.id}`)).data[0];
    const failed = await until(find, { accept: (one) => typeof one?.last_error === "string" });
    expect(failed.last_error).toMatch(/^connection: .*certificate/i);

    const { ca, clientCertificate: client_certificate, clientKey: client_key } = certificates;
    await relay.call("PATCH", `/v1/targets/${target.id}`, { tls: { ca, client_certificate, client_key } });
    await until(find, { accept: (one) => one?.status === "succeeded" });
    expect(server.requests).toEqual([{ serverName: false, client: "client" }]);
  },
);
