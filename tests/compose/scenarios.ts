// Every scenario, in the order in which `npm run test:compose` plays them.

import { backupAndRestore } from "./backup-and-restore.ts";
import { consoleSignIn } from "./console-sign-in.ts";
import { external } from "./external.ts";
import { failedMigration } from "./failed-migration.ts";
import { firstStart } from "./first-start.ts";
import { masterKey } from "./master-key.ts";
import { monitoring } from "./monitoring.ts";
import { scale } from "./scale.ts";
import type { Scenario } from "./scenario.ts";
import { secondClone } from "./second-clone.ts";
import { settings } from "./settings.ts";
import { tls } from "./tls.ts";
import { upgrade } from "./upgrade.ts";

export const SCENARIOS: readonly Scenario[] = [
  firstStart,
  secondClone,
  consoleSignIn,
  scale,
  tls,
  monitoring,
  external,
  settings,
  failedMigration,
  backupAndRestore,
  masterKey,
  upgrade,
];
