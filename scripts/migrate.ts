// `npm run migrate` brings the database of DATABASE_DIRECT_URL, or else of DATABASE_URL, to the schema of this version.
// `npm start` does this by itself, and the compose file runs this script once before the apps start.

import { databaseConfig } from "@sluice/shared/settings/common";
import { readConfig } from "@sluice/shared/settings/read-config";
import { migrate } from "@sluice/store/connection/migrate";

import { errorText } from "./relay/error-text.ts";

try {
  const { DATABASE_URL, DATABASE_DIRECT_URL } = readConfig(databaseConfig, process.env);
  await migrate((DATABASE_DIRECT_URL ?? DATABASE_URL).reveal());
  console.log("The database is up to date.");
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}
