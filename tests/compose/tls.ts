// The proxy ends TLS with its internal CA. curl, which knows only that CA, is the sender.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { claimPort } from "../support/ports.ts";
import { geminiEvent, signWebhook } from "../support/sign.ts";
import { addTarget, callApi, receiveOnHost, untilReceived } from "./relay.ts";
import { CannotPlay, type Scenario } from "./scenario.ts";
import { findMissingTool } from "../support/installed.ts";

const DOMAIN = "hooks.sluice.test";

export const tls: Scenario = {
  name: "tls",
  about: "the proxy ends TLS with its internal CA, and sends http to https",
  run: async ({ clone, saw, atEnd }) => {
    if (findMissingTool(["curl"]) !== undefined) throw new CannotPlay("there is no curl");
    const [port, httpPort] = [await claimPort(), await claimPort()];
    const relay = await clone({
      env: {
        COMPOSE_FILE: "docker-compose.yml:compose.tls.yaml",
        TLS_DOMAIN: DOMAIN,
        TLS_CERTIFICATE: "internal",
        TLS_PORT: String(port),
        TLS_HTTP_PORT: String(httpPort),
        GATEWAYS: "2",
      },
    });
    await relay.mustCompose("up", "-d", "--build", "--wait");
    const receiver = await receiveOnHost();
    atEnd(receiver.stop);
    await addTarget(relay, receiver.url());

    const root = await relay.mustCompose("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt");
    const ca = join(relay.directory, "root.crt");
    writeFileSync(ca, root);
    const event = signWebhook({ secret: relay.secret, body: geminiEvent() });
    const headers = Object.entries(event.headers).flatMap(([name, value]) => ["--header", `${name}: ${value}`]);
    const curl = (...words: string[]) =>
      promisify(execFile)("curl", [
        "--silent",
        "--show-error",
        "--cacert",
        ca,
        "--write-out",
        "\n%{http_code} %{http_version} %{redirect_url}",
        "--resolve",
        `${DOMAIN}:${port}:127.0.0.1`,
        "--resolve",
        `${DOMAIN}:${httpPort}:127.0.0.1`,
        ...words,
      ]).then(({ stdout }) => stdout.trim().split("\n").at(-1) ?? "");
    const url = `https://${DOMAIN}:${port}/in/gemini`;
    assert.equal(await curl(...headers, "--data-binary", event.body.toString(), url), "200 2");
    await untilReceived(receiver, [event.webhookId]);
    saw("curl, which trusts the CA of the proxy alone, sent an event by HTTP/2 over TLS, and it was delivered");

    const redirected = await curl(`http://${DOMAIN}:${httpPort}/in/gemini`);
    assert.match(redirected, new RegExp(`^308 1.1 https://${DOMAIN}/in/gemini`));
    saw(`http is redirected: ${redirected}`);

    const { body: sources } = await callApi(relay, "GET", "/v1/sources");
    const dynamic = (sources.data as { id: string; kind: string }[]).find(({ kind }) => kind === "dynamic");
    const token = await callApi(relay, "POST", `/v1/sources/${dynamic?.id}/ingress-tokens`, { previous: "keep" });
    assert.ok(String(token.body.url).startsWith(`https://${DOMAIN}/in/`), JSON.stringify(token.body));
    saw(`the API names addresses at https://${DOMAIN}/in/`);
    await assert.rejects(fetch(`${relay.ingressUrl}/healthz`));
    saw("the port without TLS is closed");
  },
};
