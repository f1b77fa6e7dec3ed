// What a look at a webhook finds is told once when it appears, changes and goes; a failure that passes is not told.

import { describe, expect } from "vitest";

import type { GeminiSimulator } from "@sluice/gemini-simulator/simulator";
import { newId } from "@sluice/shared/domain/ids";
import { Secret } from "@sluice/shared/settings/secret";

import { test } from "../../../../tests/support/database.ts";
import {
  driftCodesOf,
  forgetEvents,
  onlyWebhook,
  openWatched,
  readDriftEvents,
  readWatched,
  registerWatched,
  watchAll,
  WATCHED_KEY,
  WATCHED_MASTER_KEY,
  type Watched,
} from "../../../../tests/support/watched-upstream.ts";
import { setGeminiKey } from "../configuration/gemini-keys.ts";
import { toRegister } from "./upstream-intent.ts";
import { runUpstream } from "./upstream-run.ts";
import { RELAY_AUTHOR } from "./upstream-work.ts";
import { claimUpstream } from "./upstreams.ts";

/** Sets the beginning of a problem back. */
const ageProblem = ({ dependencies }: Watched) =>
  dependencies.db.pool.query(
    `UPDATE upstreams SET problem = jsonb_set(problem, '{since}', to_jsonb(to_char(now() - interval '61 minutes', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')))`,
  );

describe("a difference at Gemini is shown and told once, when it appears, changes and goes:", () => {
  test.for<[string, (watched: Watched) => void, string, (watched: Watched) => void]>([
    [
      "disabled by somebody",
      (watched) => watched.simulator.webhooks.setState(onlyWebhook(watched), "disabled"),
      "disabled",
      (watched) => watched.simulator.webhooks.setState(onlyWebhook(watched), "enabled"),
    ],
    [
      "disabled by Gemini",
      (watched) => watched.simulator.webhooks.setState(onlyWebhook(watched), "disabled_due_to_failed_deliveries"),
      "disabled_due_to_failed_deliveries",
      (watched) => watched.simulator.webhooks.setState(onlyWebhook(watched), "enabled"),
    ],
    [
      "another URI",
      (watched) => void (onlyWebhook(watched).uri += "-moved"),
      "uri_differs",
      (watched) => void (onlyWebhook(watched).uri = onlyWebhook(watched).uri.replace("-moved", "")),
    ],
    [
      "fewer events",
      (watched) => void onlyWebhook(watched).subscribedEvents.pop(),
      "events_differ",
      (watched) => void onlyWebhook(watched).subscribedEvents.push("video.generated"),
    ],
    [
      "a secret of somebody else",
      (watched) => void watched.simulator.webhooks.rotate(onlyWebhook(watched), "end_after_24h"),
      "secret_unknown",
      (watched) => {
        const [first] = onlyWebhook(watched).secrets;
        onlyWebhook(watched).secrets = [{ text: first?.text ?? "", expiresAtMs: undefined }];
      },
    ],
  ])("%s", async ([, spoil, code, repair], { database: { db } }) => {
    const watched = await openWatched(db);
    const id = await registerWatched(watched);
    await forgetEvents(db);
    expect(await watchAll(watched)).toMatchObject([{ did: "check", failure: undefined }]);
    expect(await readDriftEvents(watched)).toEqual([]);

    spoil(watched);
    await watchAll(watched);
    const row = await readWatched(watched, id);
    expect(driftCodesOf(row)).toEqual([code]);
    expect(row.drift[0]?.detail).toMatch(/POST …\/upstream:/);
    await watchAll(watched);
    expect(await readDriftEvents(watched)).toEqual([[code]]);

    repair(watched);
    await watchAll(watched);
    await watchAll(watched);
    expect(driftCodesOf(await readWatched(watched, id))).toEqual([]);
    expect(await readDriftEvents(watched)).toEqual([[code], []]);
  });

  test("a webhook that was deleted", async ({ database: { db } }) => {
    const watched = await openWatched(db);
    const id = await registerWatched(watched);
    await forgetEvents(db);
    watched.simulator.webhooks.delete(onlyWebhook(watched));
    await watchAll(watched);
    await watchAll(watched);
    expect(driftCodesOf(await readWatched(watched, id))).toEqual(["webhook_missing"]);
    expect(await readDriftEvents(watched)).toEqual([["webhook_missing"]]);
    const claim = { sourceId: id, holder: newId() };
    await claimUpstream(db, claim, toRegister((await readWatched(watched, id)).uri, null));
    await runUpstream(watched.dependencies, claim, RELAY_AUTHOR);
    expect(await readDriftEvents(watched)).toEqual([["webhook_missing"], []]);
    expect((await readWatched(watched, id)).webhookId).toBe(onlyWebhook(watched).id);
  });

  test("a source that was renamed", async ({ database: { db } }) => {
    const watched = await openWatched(db);
    const id = await registerWatched(watched);
    await db.pool.query("UPDATE sources SET name = 'renamed' WHERE id = $1", [id]);
    await watchAll(watched);
    expect(driftCodesOf(await readWatched(watched, id))).toEqual(["uri_differs"]);
  });

  test("a key that was taken away, and one that Gemini refuses", async ({ database: { db } }) => {
    const watched = await openWatched(db, { apiKeys: { [WATCHED_KEY]: "project" } });
    const id = await registerWatched(watched);
    await forgetEvents(db);
    await setGeminiKey(db, WATCHED_MASTER_KEY, id, null);
    expect((await watchAll(watched))[0]?.failure).toMatchObject({ code: "upstream_not_configured" });
    expect((await readWatched(watched, id)).problem).toMatchObject({ code: "key_missing" });
    await setGeminiKey(db, WATCHED_MASTER_KEY, id, new Secret("AIzaSy-another-key"));
    await watchAll(watched);
    await watchAll(watched);
    expect((await readWatched(watched, id)).problem).toMatchObject({ code: "unauthorized" });
    await setGeminiKey(db, WATCHED_MASTER_KEY, id, new Secret(WATCHED_KEY));
    await watchAll(watched);
    expect(await readDriftEvents(watched)).toEqual([["key_missing"], ["key_refused"], []]);
    expect((await readWatched(watched, id)).problem).toBeNull();
  });
});

describe("a failure that passes", () => {
  test.for<[string, Parameters<GeminiSimulator["faults"]["calls"]["add"]>[0]["failure"]]>([
    ["unavailable", { kind: "error", status: 500 }],
    ["rate_limited", { kind: "error", status: 429 }],
    ["unreachable", { kind: "cut" }],
  ])(
    "%s is shown at once, told after an hour, and told again when it ends",
    async ([code, failure], { database: { db } }) => {
      const watched = await openWatched(db);
      const id = await registerWatched(watched);
      await forgetEvents(db);
      watched.simulator.faults.calls.add({ failure, times: 1_000 });
      await watchAll(watched);
      await watchAll(watched);
      const row = await readWatched(watched, id);
      expect(row).toMatchObject({ problem: { code }, drift: [] });
      expect(await readDriftEvents(watched)).toEqual([]);
      await ageProblem(watched);
      await watchAll(watched);
      await watchAll(watched);
      expect(driftCodesOf(await readWatched(watched, id))).toEqual(["unchecked"]);
      watched.simulator.faults.calls.clear();
      await watchAll(watched);
      expect(await readWatched(watched, id)).toMatchObject({ problem: null, drift: [] });
      expect(await readDriftEvents(watched)).toEqual([["unchecked"], []]);
    },
  );

  test("a budget that is used up sends nothing, and says so", async ({ database: { db } }) => {
    const watched = await openWatched(db);
    const id = await registerWatched(watched);
    const sent = watched.simulator.requests.count();
    watched.dependencies.geminiRequestsPerHour = sent;
    await watchAll(watched);
    expect(watched.simulator.requests.count()).toBe(sent);
    expect((await readWatched(watched, id)).problem).toMatchObject({
      code: "over_budget",
      detail: expect.stringContaining("GEMINI_REQUESTS_PER_HOUR"),
    });
  });
});
