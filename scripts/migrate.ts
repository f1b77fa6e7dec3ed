// `npm run migrate`: brings the database of DATABASE_URL to this version's schema. `npm start` does this by
// itself; the compose file runs it once before the apps start.

import { gatewayConfig, readConfig } from "@sluice/shared/config";
import { migrate } from "@sluice/shared/store/migrate";

import { errorText } from "./error-text.ts";

try {
  const { DATABASE_URL } = readConfig(gatewayConfig.pick({ DATABASE_URL: true }), process.env);
  await migrate(DATABASE_URL.reveal());
  console.log("The database is up to date.");
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}
