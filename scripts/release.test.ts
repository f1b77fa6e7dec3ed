// A release is played in a repository of its own, which has the files of this one.

import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { expect, onTestFinished, test } from "vitest";

import { closeChangelog, nextVersion } from "./release/version-files.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
/** Higher than the version of this checkout, and a number that stands nowhere by accident. */
const NEXT = "987.654.321";

function openRepository() {
  const directory = mkdtempSync(join(tmpdir(), "sluice-release-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const listed = execFileSync("git", ["-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  for (const path of listed
    .toString()
    .split("\0")
    .filter((each) => each !== "" && existsSync(join(ROOT, each)))) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    cpSync(join(ROOT, path), join(directory, path));
  }
  const git = (...words: string[]) => execFileSync("git", words, { cwd: directory, encoding: "utf8" }).trim();
  git("init", "--quiet", "--initial-branch", "main");
  for (const [name, value] of Object.entries({ "user.name": "test", "user.email": "test@example.com" }))
    git("config", name, value);
  git("add", "--all");
  git("commit", "--quiet", "--message", "Everything");
  const release = (...words: string[]) =>
    run(process.execPath, [join(directory, "scripts/release.ts"), ...words, "--no-image"], { cwd: directory });
  return { directory, git, release, read: (path: string) => readFileSync(join(directory, path), "utf8") };
}

test("a release sets the version everywhere, closes the changelog, commits and tags", async () => {
  const { git, release, read } = openRepository();
  git("tag", `v${SLUICE_VERSION}`);
  const before = git("rev-parse", "HEAD");
  const { stdout } = await release(NEXT, "--no-sbom");
  expect(git("rev-parse", `v${NEXT}^{commit}`)).toBe(git("rev-parse", "HEAD"));
  expect(git("status", "--porcelain")).toBe("");
  expect(git("log", "-1", "--format=%s")).toBe(`Release ${NEXT}`);
  for (const path of ["package.json", "apps/gateway/package.json", "deploy/helm/sluice/Chart.yaml"])
    expect(read(path)).toContain(NEXT);
  expect(read("packages/shared/src/domain/version.ts")).toContain(`SLUICE_VERSION = "${NEXT}"`);
  expect(read("docker-compose.yml")).toContain(`:\${SLUICE_VERSION:-${NEXT}}`);
  expect(read("docker-compose.yml")).not.toContain(SLUICE_VERSION);
  expect(read("CHANGELOG.md")).toMatch(/\n## Unreleased\n\n## 987\.654\.321 \(\d{4}-\d\d-\d\d\)\n/);
  expect(read("tests/support/previous-commit")).toBe(`${before}\n`);
  expect(stdout).toContain(`git push origin main v${NEXT}`);
});

test("a tree with changes, another branch, or a tag that exists is refused, and nothing is changed", async () => {
  const { directory, git, release, read } = openRepository();
  git("tag", `v${NEXT}`);
  git("switch", "--quiet", "--create", "side");
  writeFileSync(join(directory, "README.md"), "changed");
  const refused = release(NEXT);
  await expect(refused).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("The tree is not clean") });
  await expect(refused).rejects.toMatchObject({ stderr: expect.stringContaining("the branch side") });
  await expect(refused).rejects.toMatchObject({ stderr: expect.stringContaining(`a tag v${NEXT} already`) });
  expect(read("package.json")).not.toContain(NEXT);
});

test.for([
  ["0.1.0", "patch", "0.1.1"],
  ["0.1.9", "minor", "0.2.0"],
  ["0.9.9", "major", "1.0.0"],
  ["0.9.9", "0.10.0", "0.10.0"],
] as const)("from %s, %s is %s", ([current, wanted, expected]) => {
  expect(nextVersion(current, wanted)).toBe(expected);
});

test.for(["0.1.0", "0.0.9", "1", "v0.2.0", "0.2.0-beta"])("from 0.1.0, %s is refused", (wanted) => {
  expect(() => nextVersion("0.1.0", wanted)).toThrow(wanted);
});

test("a changelog that says nothing is refused", () => {
  expect(() => closeChangelog("# Changelog\n\n## Unreleased\n\n## 0.1.0\n\n- Old.\n", "0.2.0", "2026-01-01")).toThrow(
    "is empty",
  );
  expect(() => closeChangelog("# Changelog\n", "0.2.0", "2026-01-01")).toThrow("has no section");
});
