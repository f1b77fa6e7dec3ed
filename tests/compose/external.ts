// PostgreSQL and Redis that run elsewhere: here, in containers that the compose file knows nothing of.

import assert from "node:assert/strict";

import { postWebhook } from "../support/post-webhook.ts";
import { claimPort } from "../support/ports.ts";
import { geminiEvent, signWebhook } from "../support/sign.ts";
import { until } from "../support/wait.ts";
import { runDocker } from "./clone.ts";
import { addTarget, readReadiness, receiveOnHost, untilReceived } from "./relay.ts";
import { readComposeFile } from "../repository/compose-file.ts";
import type { Scenario } from "./scenario.ts";

export const external: Scenario = {
  name: "external",
  about: "the stores run elsewhere, and the stack brings none",
  run: async ({ clone, saw, atEnd }) => {
    const { services } = readComposeFile("docker-compose.yml");
    const start = async (image: string | undefined, port: number, inner: number, ...words: string[]) => {
      const [options, command] = [words.slice(0, words.indexOf("--")), words.slice(words.indexOf("--") + 1)];
      const { code, output, stdout } = await runDocker([
        "run",
        "--detach",
        "--rm",
        "--publish",
        `${port}:${inner}`,
        ...options,
        image ?? "",
        ...command,
      ]);
      assert.equal(code, 0, output);
      const container = stdout.trim().split("\n").at(-1) ?? "";
      atEnd(() => runDocker(["rm", "--force", "--volumes", container]));
      return container;
    };
    const [postgresPort, redisPort] = [await claimPort(), await claimPort()];
    const password = "a-password-of-the-test";
    const variables = { POSTGRES_USER: "relay", POSTGRES_PASSWORD: password, POSTGRES_DB: "relay" };
    const given = Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
    const postgres = await start(services["postgres"]?.image, postgresPort, 5432, ...given, "--");
    const durable = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"];
    const redisWords = ["--", "redis-server", ...durable, "--save", "", "--requirepass", password];
    await start(services["redis"]?.image, redisPort, 6379, ...redisWords);
    await until(async () => (await runDocker(["exec", postgres, "pg_isready", "-h", "127.0.0.1"])).code === 0);

    const relay = await clone({
      env: {
        COMPOSE_FILE: "docker-compose.yml:compose.external.yaml",
        DATABASE_URL: `postgres://relay:${password}@host.docker.internal:${postgresPort}/relay`,
        REDIS_URL: `redis://:${password}@host.docker.internal:${redisPort}`,
      },
    });
    await relay.mustCompose("up", "-d", "--build", "--wait");
    const names = (await relay.mustCompose("ps", "--all", "--services")).trim().split("\n").toSorted();
    assert.deepEqual(names, ["gateway", "migrate", "secrets", "worker"]);
    const { body } = await readReadiness(relay);
    assert.equal(body.status, "ready", JSON.stringify(body));
    assert.deepEqual([body.checks.redis.durable, body.checks.queue.takes], [true, "redis"]);
    saw(`services ${names.join(", ")}; /readyz: ${body.status}, queues in ${body.checks.queue.takes}`);

    const receiver = await receiveOnHost();
    atEnd(receiver.stop);
    await addTarget(relay, receiver.url());
    const event = signWebhook({ secret: relay.secret, body: geminiEvent() });
    assert.equal((await postWebhook(relay.ingressUrl, event)).status, 200);
    await untilReceived(receiver, [event.webhookId]);
    saw("an event went through them to a target");
  },
};
