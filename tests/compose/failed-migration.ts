// A migration that fails says so, and leaves a stack that the same command brings up once the cause is gone.

import assert from "node:assert/strict";

import { addTarget, readReadiness, receiveOnHost, untilReceived } from "./relay.ts";
import type { Scenario } from "./scenario.ts";
import { startTraffic } from "./traffic.ts";
import { until } from "../support/wait.ts";

export const failedMigration: Scenario = {
  name: "failed-migration",
  about: "a migration that fails stops an upgrade before it touches the relay; mended, the same command goes on",
  run: async ({ clone, saw, atEnd }) => {
    const relay = await clone();
    await relay.mustCompose("up", "-d", "--build", "--wait");
    const receiver = await receiveOnHost();
    atEnd(receiver.stop);
    await addTarget(relay, receiver.url());
    const [gateway] = await relay.containers("gateway");
    const setReadOnly = (value: "on" | "off") => {
      const statement = `ALTER DATABASE sluice SET default_transaction_read_only = ${value}`;
      const login =
        "PGPASSWORD=$(cat /var/lib/sluice/postgres-password) PGOPTIONS='-c default_transaction_read_only=off'";
      return relay.mustCompose(
        "exec",
        "-T",
        "postgres",
        "sh",
        "-c",
        `${login} psql -U sluice -c '${statement}' sluice`,
      );
    };

    await setReadOnly("on");
    const traffic = startTraffic(relay.ingressUrl, relay.secret);
    await assert.rejects(relay.upgrade(), /read-only transaction/);
    const [failed] = await relay.containers("migrate");
    assert.equal(failed?.ExitCode, 1);
    const aim = traffic.acknowledged.length + 20;
    await until(() => traffic.acknowledged.length >= aim);
    assert.deepEqual([[...traffic.refusals], (await relay.containers("gateway"))[0]?.ID], [[], gateway?.ID]);
    saw(`the upgrade ended at the migration, and the relay went on: ${traffic.describe()}`);

    const failure = await relay.compose("up", "-d", "--wait", "--force-recreate");
    assert.notEqual(failure.code, 0);
    const [migrate] = await relay.containers("migrate");
    assert.deepEqual([migrate?.State, migrate?.ExitCode], ["exited", 1]);
    assert.match(await relay.mustCompose("logs", "migrate"), /read-only transaction/);
    saw(`up ended with ${failure.code}: ${failure.output.trimEnd().split("\n").at(-1)}`);

    await setReadOnly("off");
    await relay.mustCompose("up", "-d", "--wait");
    assert.equal((await readReadiness(relay)).body.status, "ready");
    await traffic.stop();
    await untilReceived(receiver, traffic.acknowledged);
    saw(`with the cause gone, up brought the stack back: ${traffic.describe()}; all were delivered`);
  },
};
