// Applies a configuration. First each resource is changed in a transaction that is undone: that finds every fault before
// anything is changed, and what there is to change. Then each is changed in a transaction of its own.

import type { Context } from "hono";

import { newId } from "@sluice/shared/domain/ids";
import { type Fault, SluiceError } from "@sluice/shared/runtime/errors";
import { listManaged } from "@sluice/store/configuration/managed";
import { endSettingsTurn, holdSettingsTurn } from "@sluice/store/configuration/settings-turn";

import type { ApiEnv, SettingsApplication } from "../http/api-env.ts";
import { invalidRequest } from "../http/invalid-request.ts";
import type { AppliedConfiguration, Configuration, ConfigurationChange, ResourceType } from "./configuration-schema.ts";
import { toConfigurationChange } from "./configuration-change.ts";
import {
  type ApplyResource,
  putKey,
  putSource,
  putTarget,
  removeManaged,
  type ResourcesDependencies,
} from "./configured-resources.ts";

interface Task {
  type: ResourceType;
  name: string;
  /** Where the resource stands in the configuration; empty for one that is removed. */
  pointer: string;
  apply: ApplyResource;
}

/** Not the fault of a resource: it would be the same for the next one. */
const GENERAL = new Set(["internal", "unavailable", "idempotency_in_progress"]);

/**
 * @throws SluiceError `invalid_request` or `managed_by_file` with every fault, before anything is changed, and `unavailable` while
 * others apply settings.
 */
export async function applyConfiguration(
  c: Context<ApiEnv>,
  dependencies: ResourcesDependencies,
  configuration: Configuration,
  { isDryRun, prune }: { isDryRun: boolean; prune: boolean },
): Promise<AppliedConfiguration> {
  const { managed_by: manager } = configuration;
  refuseDoubles(configuration);
  const holder = newId();
  const hold = async () => {
    if (isDryRun || (await holdSettingsTurn(dependencies.db, holder))) return;
    throw new SluiceError("unavailable", "Another configuration is being applied at this moment", {
      retryAfterSeconds: 2,
    });
  };
  await hold();
  try {
    const left = await findLeft(dependencies, configuration);
    const tasks = [...toTasks(configuration), ...(prune ? left.map((each) => toRemoval(each)) : [])];
    const previewed = await previewTasks(c, dependencies, manager, tasks);
    const wanted = previewed.filter(({ change }) => change !== undefined);
    const changes: ConfigurationChange[] = [];
    for (const { task, change } of wanted) {
      if (change === undefined) continue;
      if (isDryRun) {
        changes.push(change);
        continue;
      }
      await hold();
      changes.push((await applyTask(c, dependencies, { manager, isPreview: false, changes: [] }, task)) ?? change);
    }
    return {
      managed_by: manager,
      dry_run: isDryRun,
      changes,
      unchanged: tasks.length - wanted.length,
      left: prune ? [] : left.map(({ type, name }) => ({ type, name })),
    };
  } finally {
    if (!isDryRun) await endSettingsTurn(dependencies.db, holder);
  }
}

function toTasks({ managed_by: manager, sources, targets, keys }: Configuration): Task[] {
  const pullTargets = new Set(targets.filter(({ kind }) => kind === "pull").map(({ name }) => name));
  return [
    ...sources.map((given, index) => ({
      type: "source" as const,
      name: given.name,
      pointer: `/sources/${index}`,
      apply: putSource(given, manager),
    })),
    ...targets.map((given, index) => ({
      type: "target" as const,
      name: given.name,
      pointer: `/targets/${index}`,
      apply: putTarget(given, manager),
    })),
    ...keys.map((given, index) => ({
      type: "key" as const,
      name: given.name,
      pointer: `/keys/${index}`,
      apply: putKey(given, manager, pullTargets),
    })),
  ];
}

interface Left {
  type: ResourceType;
  name: string;
  id: string;
}

async function findLeft(
  { db }: ResourcesDependencies,
  { managed_by: manager, ...named }: Configuration,
): Promise<Left[]> {
  const names = {
    source: new Set(named.sources.map(({ name }) => name)),
    target: new Set(named.targets.map(({ name }) => name)),
    key: new Set(named.keys.map(({ name }) => name)),
  };
  return (await listManaged(db, manager)).filter(({ type, name }) => !names[type].has(name));
}

const toRemoval = ({ type, name, id }: Left): Task => ({
  type,
  name,
  pointer: "",
  apply: removeManaged[type](type === "key" ? id : name),
});

/** @returns what each task would change; undefined for a task that would change nothing. */
async function previewTasks(c: Context<ApiEnv>, given: ResourcesDependencies, manager: string, tasks: readonly Task[]) {
  // Nobody is told of what is undone.
  const dependencies = { ...given, wakeTarget: async () => undefined, sourcesChanged: async () => undefined };
  const faults: (Fault & { code: string })[] = [];
  const previewed: { task: Task; change: ConfigurationChange | undefined }[] = [];
  for (const task of tasks) {
    try {
      previewed.push({
        task,
        change: await applyTask(c, dependencies, { manager, isPreview: true, changes: [] }, task),
      });
    } catch (error) {
      if (!(error instanceof SluiceError) || GENERAL.has(error.code)) throw error;
      faults.push(...faultsOfTask(task, error));
    }
  }
  if (faults.length > 0) throw refusalOf(faults);
  return previewed;
}

async function applyTask(
  c: Context<ApiEnv>,
  dependencies: ResourcesDependencies,
  application: SettingsApplication,
  { type, name, apply }: Task,
): Promise<ConfigurationChange | undefined> {
  c.set("application", application);
  try {
    const shownOnce = await apply(c, dependencies);
    const change = toConfigurationChange({ type, name }, application.changes);
    return change && { ...change, ...(application.isPreview ? {} : shownOnce) };
  } finally {
    c.set("application", undefined);
  }
}

function faultsOfTask({ type, name, pointer }: Task, error: SluiceError): (Fault & { code: string })[] {
  const { code, faults, message } = error;
  const place = pointer === "" ? `/${type}s` : `${pointer}/name`;
  if (faults.length === 0)
    return [{ code, pointer: place, detail: `cannot be applied to ${JSON.stringify(name)}: ${message}` }];
  return faults.map((fault) => {
    const isField = fault.pointer.startsWith("/") && pointer !== "";
    return { code, pointer: isField ? pointer + fault.pointer : place, detail: fault.detail };
  });
}

function refusalOf(found: readonly (Fault & { code: string })[]): SluiceError {
  const faults = found.map(({ pointer, detail }) => ({ pointer: `/configuration${pointer}`, detail }));
  if (found.some(({ code }) => code !== "managed_by_file")) return invalidRequest(faults);
  const message = `The configuration holds what another file manages: ${faults.map(({ detail }) => detail).join("; ")}`;
  return new SluiceError("managed_by_file", message, { faults });
}

/** @throws SluiceError `invalid_request` for a name that the configuration has twice. */
function refuseDoubles({ sources, targets, keys }: Configuration): void {
  const faults = Object.entries({ sources, targets, keys }).flatMap(([list, resources]) => {
    const seen = new Map<string, number>();
    return resources.flatMap(({ name }, index) => {
      const first = seen.get(name);
      seen.set(name, first ?? index);
      if (first === undefined) return [];
      const pointer = `/configuration/${list}/${index}/name`;
      return [{ pointer, detail: `is the name of /configuration/${list}/${first} too` }];
    });
  });
  if (faults.length > 0) throw invalidRequest(faults);
}
