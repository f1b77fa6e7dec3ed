// What needs PostgreSQL and Redis themselves, and not the API. It is a bundle of its own: the command that a gateway serves goes
// to machines without stores, and does without the drivers.

export { backUp } from "./backup/back-up.ts";
export { checkBackup, restore, unsealBackup } from "./backup/restore.ts";
export { examineEnvironment } from "./health/examine-environment.ts";
export { listLost, rekey, replaceLost } from "./rekey/rekey.ts";
