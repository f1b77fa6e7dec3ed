// `npm run release -- 0.2.0` makes a release of this checkout: the version in every place, the section of the changelog,
// a commit, a tag, the images, and an SBOM. It publishes nothing, and prints the commands that would.
//
// It is a script of our own (docs/decisions/0053-a-release-is-a-script-of-ours.md), and imports nothing that a
// fresh clone does not have.

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { closeChangelog, nextVersion, writeVersion } from "./release/version-files.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const OUT = "release";
const USAGE = `npm run release -- <version | major | minor | patch> [options]

  --image <name>   the name of the image (sluice)
  --no-image       build no image
  --no-sbom        write no SBOM

Run npm test first. The command needs a clean tree on the branch main, and publishes nothing.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: "boolean", default: false },
    image: { type: "string", default: "sluice" },
    "no-image": { type: "boolean", default: false },
    "no-sbom": { type: "boolean", default: false },
  },
});

try {
  if (values.help || positionals.length !== 1) console.log(USAGE);
  else release(positionals[0] ?? "");
  if (!values.help && positionals.length !== 1) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

function release(wanted: string): void {
  const current = (JSON.parse(read("package.json")) as { version: string }).version;
  const version = nextVersion(current, wanted);
  const tag = `v${version}`;
  const faults = findFaults(tag);
  if (faults.length > 0) throw new Error(`Nothing was changed.\n${faults.map((fault) => `  ${fault}`).join("\n")}`);
  const changelog = closeChangelog(read("CHANGELOG.md"), version, new Date().toISOString().slice(0, 10));

  const changed = [...writeVersion(ROOT, current, version), "CHANGELOG.md"];
  writeFileSync(join(ROOT, "CHANGELOG.md"), changelog);
  // The next upgrade is tested from the release before this one.
  const previous = commitOf(`v${current}`);
  if (previous !== undefined) {
    writeFileSync(join(ROOT, "tests/support/previous-commit"), `${previous}\n`);
    changed.push("tests/support/previous-commit");
  }
  git("add", ...changed);
  git("commit", "--quiet", "--message", `Release ${version}`);
  git("tag", "--annotate", tag, "--message", `Sluice ${version}`);
  console.log(`${tag} is commit ${commitOf(tag)}.`);

  if (!values["no-sbom"]) console.log(`${makeSbom(version)} lists what the bundles contain.`);
  const images = values["no-image"] ? [] : buildImage(version);
  console.log(
    [
      "",
      "Nothing was published. When you have looked at it:",
      `  git push origin main ${tag}`,
      ...images.map((image) => `  docker push ${image}`),
      "",
      `To undo it: git tag --delete ${tag} && git reset --hard HEAD~1`,
    ].join("\n"),
  );
}

function findFaults(tag: string): string[] {
  const branch = git("branch", "--show-current");
  const changes = git("status", "--porcelain");
  return [
    ...(branch === "main" ? [] : [`This is the branch ${branch || "of no name"}, and a release is made on main.`]),
    ...(changes === "" ? [] : [`The tree is not clean:\n${changes}`]),
    ...(commitOf(tag) === undefined ? [] : [`There is a tag ${tag} already.`]),
  ];
}

/** By pnpm, which knows what the lockfile holds. @returns the path of the file. */
function makeSbom(version: string): string {
  const pnpm = /pnpm@[0-9.]+/.exec(read("scripts/launch.mjs"))?.[0] ?? "pnpm";
  const path = join(OUT, `sluice-${version}.cdx.json`);
  mkdirSync(join(ROOT, OUT), { recursive: true });
  const format = ["--sbom-format", "cyclonedx", "--sbom-spec-version", "1.6", "--sbom-type", "application"];
  execFileSync("npx", ["--yes", pnpm, "sbom", ...format, "--prod", "--out", path], { cwd: ROOT, stdio: "pipe" });
  return path;
}

/** @returns the names of the image; none where docker is missing. */
function buildImage(version: string): string[] {
  if (spawnSync("docker", ["info"], { stdio: "ignore" }).status !== 0) {
    console.log("docker does not answer, so there is no image.");
    return [];
  }
  const [major, minor] = version.split(".");
  const images = [version, `${major}.${minor}`, "latest"].map((name) => `${values.image}:${name}`);
  const args = [`SLUICE_VERSION=${version}`, `SLUICE_COMMIT=${git("rev-parse", "HEAD")}`];
  const words = [...args.flatMap((arg) => ["--build-arg", arg]), ...images.flatMap((image) => ["--tag", image])];
  execFileSync("docker", ["build", ...words, "."], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  return images;
}

function commitOf(name: string): string | undefined {
  const { status, stdout } = spawnSync("git", ["rev-parse", "--verify", "--quiet", `${name}^{commit}`], {
    cwd: ROOT,
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : undefined;
}

function git(...words: string[]): string {
  return execFileSync("git", words, { cwd: ROOT, encoding: "utf8" }).trim();
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
