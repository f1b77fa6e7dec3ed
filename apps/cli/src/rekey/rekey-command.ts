// `sluice rekey` and `sluice lost-secrets`.

import type { Command } from "commander";

import { helpNote } from "../output/help-note.ts";
import { type CliContext, loadStores, withStores } from "../cli-context.ts";

export interface RekeyFlags {
  lost?: boolean;
  json?: boolean;
}

export function addRekey(program: Command, context: CliContext): void {
  program
    .command("rekey")
    .description("encrypt every secret in the database with a new master key")
    .option(
      "--lost",
      "the master key is lost for good: begin with a new one, and list the secrets that are lost with it",
    )
    .option("--json", "with --lost, print the list as JSON")
    .addHelpText(
      "after",
      helpNote(
        "Stop all gateways and workers first. The new key comes from NEW_MASTER_KEY (or " +
          "NEW_MASTER_KEY_FILE); without it, a new one takes the place of DATA_DIR/master-key. docs/runbooks/leaked-secret.md and lost-master-key.md have the commands.",
      ),
    )
    .action(async (flags: RekeyFlags) => {
      const { rekey, replaceLost } = await loadStores("rekey");
      await withStores(context, (env) =>
        flags.lost === true ? replaceLost(flags, { ...context, env }) : rekey({ ...context, env }),
      );
    });
  program
    .command("lost-secrets")
    .description("list the secrets that `sluice rekey --lost` gave up and that nobody has set anew yet")
    .option("--json", "print the list as JSON")
    .action(async (flags: RekeyFlags) => {
      const { listLost } = await loadStores("lost-secrets");
      await withStores(context, (env) => listLost(flags, { ...context, env }));
    });
}
