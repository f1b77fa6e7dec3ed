// `npm run migrate` brings the database of DATABASE_DIRECT_URL, or else of DATABASE_URL, to the schema of this version.
// With DATABASE_ADMIN_URL and DATABASE_APP_URL it also makes the two roles of a relay (docs/postgres.md). `npm start` does
// this by itself, and the compose file runs this script before the apps start.

import { setTimeout as sleep } from "node:timers/promises";

import { migrateConfig } from "@sluice/shared/settings/common";
import { answerVersionFlag } from "@sluice/shared/runtime/version-flag";
import { readConfig } from "@sluice/shared/settings/read-config";
import { migrate } from "@sluice/store/connection/migrate";
import { isContended } from "@sluice/store/connection/postgres-errors";
import { migrateWithRoles } from "@sluice/store/connection/roles";

import { errorText } from "@sluice/shared/runtime/error-text";

const PAUSE_MS = 1_000;
const onWarning = (message: string) => console.warn(message);

answerVersionFlag();
try {
  await bringUpToDate();
  console.log("The database is up to date.");
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}

async function bringUpToDate(): Promise<void> {
  const settings = readConfig(migrateConfig, process.env);
  const { DATABASE_URL, DATABASE_DIRECT_URL, DATABASE_ADMIN_URL, DATABASE_APP_URL } = settings;
  const owner = (DATABASE_DIRECT_URL ?? DATABASE_URL).reveal();
  let hasSaid = false;
  for (;;) {
    try {
      if (DATABASE_ADMIN_URL === undefined || DATABASE_APP_URL === undefined) {
        await migrate(owner, { onWarning });
      } else {
        const urls = { admin: DATABASE_ADMIN_URL.reveal(), owner, app: DATABASE_APP_URL.reveal() };
        await migrateWithRoles(urls, { onWarning });
      }
      return;
    } catch (error) {
      if (!isContended(error)) throw error;
      if (!hasSaid) console.error(`Another session is in the way (${errorText(error)}). Trying until it is not.`);
      hasSaid = true;
    }
    await sleep(PAUSE_MS);
  }
}
