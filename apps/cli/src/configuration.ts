// `sluice apply` and `sluice export`: sources, targets and keys as a file that can be in git. The relay decides what to change; the
// file and its secrets are read here, where they are.

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

import type { Schemas } from "@sluice/client/client";
import { invalidFile, readSettingsFile } from "@sluice/settings-file/settings-file";
import { writeSettingsFile } from "@sluice/settings-file/write-settings-file";
import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Command } from "commander";

import type { CliContext } from "./cli-context.ts";
import { readInput } from "./options.ts";
import { writeStyled } from "./output/style.ts";
import { type RelayOptions, withRelayOptions } from "./relay/access.ts";
import { asked, openRelayApi } from "./relay/relay-api.ts";

interface ApplyOptions extends RelayOptions {
  file: string;
  dryRun?: boolean;
  prune?: boolean;
  force?: boolean;
}

/** Where this repository has it. An editor looks from the folder of the file. */
const SCHEMA = "deploy/sluice.schema.json";
const POINTER_PREFIX = "/configuration";
const COLOURS = { create: "green", update: "yellow", delete: "red" } as const;

export function addConfiguration(program: Command, context: CliContext): void {
  const apply = program
    .command("apply")
    .description("make sources, targets and keys what a file says")
    .requiredOption("-f, --file <path>", "the file of settings; - reads stdin")
    .option("--dry-run", "change nothing, and print what would be changed")
    .option("--prune", "remove what the file manages and does not name any more")
    .option("--force", "also change what another file manages")
    .action((options: ApplyOptions) => applyFile(options, context));
  const exportAll = program
    .command("export")
    .description("print sources, targets and keys as a file of settings, with placeholders for secrets")
    .action(async (options: RelayOptions) => {
      const configuration = await asked(openRelayApi(options, context).get("/v1/configuration"));
      context.stdout.write(writeSettingsFile(configuration, SCHEMA));
    });
  for (const command of [apply, exportAll]) withRelayOptions(command);
}

async function applyFile({ file, dryRun = false, prune = false, force, ...relay }: ApplyOptions, context: CliContext) {
  const name = file === "-" ? "stdin" : file;
  const content = (await readInput(file, context)).toString("utf8");
  const directory = file === "-" ? context.directory : dirname(resolve(context.directory, file));
  const { configuration, locate } = readSettingsFile(content, name, {
    env: context.env,
    readFile: (secret) => readFileSync(resolve(directory, secret), "utf8"),
  });
  const body = { configuration, dry_run: dryRun, prune } as Schemas["ConfigurationApplication"];
  const headers = force === true ? { "Sluice-Force": "true" as const } : {};
  const request = openRelayApi(relay, context).post("/v1/configuration:apply", { body, params: { header: headers } });
  const applied = await asked(request).catch((error: unknown) => {
    if (!(error instanceof SluiceError)) throw error;
    const faults = error.faults.filter(({ pointer }) => pointer.startsWith(POINTER_PREFIX));
    if (faults.length === 0) throw error;
    const lines = locate(faults.map((fault) => ({ ...fault, pointer: fault.pointer.slice(POINTER_PREFIX.length) })));
    throw error.code === "managed_by_file" ? new SluiceError(error.code, lines.join("\n")) : invalidFile(name, lines);
  });
  print(applied, context);
}

function print(
  { changes, unchanged, left, dry_run: isDryRun, managed_by: manager }: Schemas["AppliedConfiguration"],
  context: CliContext,
) {
  const { stdout, stderr } = context;
  for (const change of changes) {
    writeStyled(stdout, context, COLOURS[change.action], change.action);
    stdout.write(` ${change.type} ${change.name}\n`);
    for (const { field, before, after } of change.fields)
      stdout.write(`  ${field}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}\n`);
    if (change.changes_credential) stdout.write("  a credential, which is not shown\n");
    for (const field of ["new_signing_secret", "new_ingress_token"] as const)
      if (change[field] !== undefined) stdout.write(`  ${field}: ${change[field]}\n`);
  }
  stdout.write(`${changes.length} ${isDryRun ? "to change" : "changed"}, ${unchanged} unchanged\n`);
  for (const { type, name } of left)
    stderr.write(`${type} ${name} is managed by ${manager} and not in the file: --prune removes it\n`);
}
