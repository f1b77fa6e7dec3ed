// Where the version of Sluice stands, and how a release changes it. Tests compare these places with package.json.

import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type Bump = "major" | "minor" | "patch";

const VERSION = /^\d+\.\d+\.\d+$/;

/** @param wanted a version, or which number of it goes up. @throws Error unless the new version is higher. */
export function nextVersion(current: string, wanted: string): string {
  const numbers = current.split(".").map(Number);
  const [major = 0, minor = 0, patch = 0] = numbers;
  const bumps: Record<Bump, string> = {
    major: `${major + 1}.0.0`,
    minor: `${major}.${minor + 1}.0`,
    patch: `${major}.${minor}.${patch + 1}`,
  };
  if (wanted in bumps) return bumps[wanted as Bump];
  if (!VERSION.test(wanted)) throw new Error(`"${wanted}" is no version such as 0.2.0, and not major, minor or patch.`);
  const given = wanted.split(".").map(Number);
  const differs = given.findIndex((number, index) => number !== numbers[index]);
  if (differs === -1 || (given[differs] ?? 0) < (numbers[differs] ?? 0))
    throw new Error(`${wanted} is not higher than ${current}, the version of this checkout.`);
  return wanted;
}

/** Writes the new version wherever the current one stands. @returns the changed files. */
export function writeVersion(root: string, current: string, next: string): string[] {
  const manifests = ["package.json", ...globSync("{apps,packages}/*/package.json", { cwd: root })];
  const places: [string, (version: string) => string][] = [
    ...manifests.map((path): [string, (version: string) => string] => [
      path,
      (version) => `  "version": "${version}",`,
    ]),
    ["packages/shared/src/domain/version.ts", (version) => `SLUICE_VERSION = "${version}"`],
    ["docker-compose.yml", (version) => `\${SLUICE_VERSION:-${version}}`],
    ["deploy/helm/sluice/Chart.yaml", (version) => `\nversion: ${version}\n`],
    ["deploy/helm/sluice/Chart.yaml", (version) => `\nappVersion: ${version}\n`],
  ];
  for (const [path, textOf] of places) {
    const text = readFileSync(join(root, path), "utf8");
    if (!text.includes(textOf(current))) throw new Error(`${path} does not have the version ${current}.`);
    writeFileSync(join(root, path), text.replaceAll(textOf(current), textOf(next)));
  }
  return [...new Set(places.map(([path]) => path))];
}

/**
 * Closes the section "Unreleased" of a changelog, and begins an empty one.
 * @throws Error when the section is missing or says nothing.
 */
export function closeChangelog(changelog: string, version: string, date: string): string {
  const [before, rest] = changelog.split("\n## Unreleased\n");
  if (before === undefined || rest === undefined) throw new Error('CHANGELOG.md has no section "Unreleased".');
  const section = rest.split("\n## ")[0] ?? "";
  if (section.trim() === "") throw new Error('The section "Unreleased" of CHANGELOG.md is empty: what is released?');
  return `${before}\n## Unreleased\n\n## ${version} (${date})\n${rest}`;
}
