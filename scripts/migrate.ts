// `npm run migrate`: brings the database of DATABASE_URL to this version's schema. `npm start` does this by
// itself; the compose file runs it once before the apps start.

// By path and not by package name: the image has no link to the workspace's packages in its root.
import { gatewayConfig, readConfig } from "../packages/shared/src/config.ts";
import { migrate } from "../packages/shared/src/store/migrate.ts";
import { errorText } from "./error-text.ts";

try {
  const { DATABASE_URL } = readConfig(gatewayConfig.pick({ DATABASE_URL: true }), process.env);
  await migrate(DATABASE_URL.reveal());
  console.log("The database is up to date.");
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}
