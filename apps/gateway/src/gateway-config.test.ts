// Tests the settings from the environment: all faults are reported at once and by name, secrets can come from files, and no
// secret is ever printed.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";

import { afterAll, describe, expect, test } from "vitest";

import type { Fault, SluiceError } from "@sluice/shared/runtime/errors";
import { readConfig } from "@sluice/shared/settings/read-config";

import { type GatewayConfig, gatewayConfig } from "./gateway-config.ts";

const dir = mkdtempSync(join(tmpdir(), "sluice-config-"));
afterAll(() => rmSync(dir, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

const DATABASE_URL = "postgres://sluice:hunter2hunter2@db:5432/sluice";
const VALID = {
  DATABASE_URL,
  REDIS_URL: "redis://:redispassword@cache:6379",
  MASTER_KEY: Buffer.alloc(32, 7).toString("base64"),
  ADMIN_API_KEY: "an-admin-key-of-many-letters-and-digits",
  GEMINI_SIGNING_SECRET: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
};

function readFaults(env: NodeJS.ProcessEnv): { message: string; faults: Fault[] } {
  try {
    readConfig(gatewayConfig, env);
  } catch (error) {
    const { code, message, faults } = error as SluiceError;
    expect(code).toBe("invalid_configuration");
    return { message, faults };
  }
  throw new Error("No fault was found");
}

describe("readConfig", () => {
  test("the one required variable is enough, and the rest has its defaults", () => {
    const config = readConfig(gatewayConfig, { DATABASE_URL });
    expect(config.DATABASE_URL.reveal()).toBe(DATABASE_URL);
    expect(config).toMatchObject({ PORT: 8080, API_PORT: 8081, API_HOST: "127.0.0.1", DATA_DIR: ".data" });
    expect(config).toMatchObject({ MAX_BODY_BYTES: 1_048_576, LOG_LEVEL: "info" });
    expect(config).toMatchObject({ TARGET_LOOPBACK: "deny", JWKS_LOOPBACK: "deny" });
    expect(config.REDIS_URL).toBeUndefined();
    expect(config.REDIS_DURABILITY).toBe("verify");
    expect(config.REDIS_REPLICAS).toBe("auto");
    expect(config.CORS_ORIGINS).toBeUndefined();
  });

  test("CORS_ORIGINS are origins as a browser sends them, and neither all nor none", () => {
    const CORS_ORIGINS = "https://a.example, http://localhost:5173";
    const config = readConfig(gatewayConfig, { DATABASE_URL, CORS_ORIGINS });
    expect(config.CORS_ORIGINS).toEqual(["https://a.example", "http://localhost:5173"]);
    for (const text of ["*", "null", "a.example", "https://a.example/", "https://A.example", "https://a.example,"]) {
      expect(readFaults({ DATABASE_URL, CORS_ORIGINS: text }).faults.map(({ pointer }) => pointer)).toEqual([
        "CORS_ORIGINS",
      ]);
    }
  });

  test("an empty variable counts as absent, as compose files leave them", () => {
    const config = readConfig(gatewayConfig, {
      DATABASE_URL,
      PORT: "",
      REDIS_URL: "",
      MASTER_KEY: "",
      MASTER_KEY_FILE: "",
    });
    expect(config.PORT).toBe(8080);
    expect(config.REDIS_URL).toBeUndefined();
    expect(config.MASTER_KEY).toBeUndefined();
  });

  test("every fault is reported at once, by the name of its variable", () => {
    const { message, faults } = readFaults({
      REDIS_URL: "http://cache:6379",
      MASTER_KEY: "short",
      ADMIN_API_KEY: "short",
      GEMINI_SIGNING_SECRET: "sk_123",
      PORT: "http",
      API_PORT: "65536",
      LOG_LEVEL: "loud",
      MAX_BODY_BYTES: "12.5",
    });
    const secrets = ["DATABASE_URL", "REDIS_URL", "MASTER_KEY", "ADMIN_API_KEY", "GEMINI_SIGNING_SECRET"];
    const names = [...secrets, "PORT", "API_PORT", "LOG_LEVEL", "MAX_BODY_BYTES"];
    expect(faults.map((fault) => fault.pointer).toSorted()).toEqual(names.toSorted());
    for (const name of names) expect(message).toContain(`\n  ${name} `);
    expect(faults).toContainEqual({ pointer: "DATABASE_URL", detail: "is required" });
  });

  test("REDIS_REPLICAS is auto or a number", () => {
    const read = ["auto", "0", "2", ""].map(
      (REDIS_REPLICAS) => readConfig(gatewayConfig, { DATABASE_URL, REDIS_REPLICAS }).REDIS_REPLICAS,
    );
    expect(read).toEqual(["auto", 0, 2, "auto"]);
    for (const REDIS_REPLICAS of ["all", "-1", "1.5", "101"]) {
      expect(readFaults({ DATABASE_URL, REDIS_REPLICAS }).faults).toEqual([
        { pointer: "REDIS_REPLICAS", detail: "must be auto, or a whole number from 0 to 100" },
      ]);
    }
  });

  test.for(["-1", "0x50", " ", "8080 # ingress", "1e3", "NaN"])("a port written %j is a fault", (PORT) => {
    expect(readFaults({ DATABASE_URL, PORT }).faults).toEqual([expect.objectContaining({ pointer: "PORT" })]);
  });
});

describe("PUBLIC_URL", () => {
  test.for([
    ["https://hooks.example.com", "https://hooks.example.com"],
    ["https://hooks.example.com/", "https://hooks.example.com"],
    ["http://10.0.0.7:8080/sluice//", "http://10.0.0.7:8080/sluice"],
    ["https://[2001:db8::1]/a", "https://[2001:db8::1]/a"],
  ] as const)("%s reads as %s, so that a path can follow", ([PUBLIC_URL, expected]) => {
    expect(readConfig(gatewayConfig, { DATABASE_URL, PUBLIC_URL }).PUBLIC_URL).toBe(expected);
  });

  test.for([
    "hooks.example.com",
    "//hooks.example.com",
    "ftp://hooks.example.com",
    "https://",
    "https:/hooks.example.com",
    "https://hooks.example.com/?a=b",
    "https://hooks.example.com/?",
    "https://hooks.example.com/#top",
    "https://user:hunter2@hooks.example.com",
    "https://hooks.example.com\\a",
    " https://hooks.example.com",
    "https://hooks.example.com:99999",
  ])("%j is a fault", (PUBLIC_URL) => {
    const { faults } = readFaults({ DATABASE_URL, PUBLIC_URL });
    expect(faults).toEqual([
      { pointer: "PUBLIC_URL", detail: expect.stringContaining("must be an http or https URL") },
    ]);
  });

  test("may be absent", () => {
    expect(readConfig(gatewayConfig, { DATABASE_URL, PUBLIC_URL: "" }).PUBLIC_URL).toBeUndefined();
  });
});

test("loopback is opened by the word allow alone", () => {
  const given = { TARGET_LOOPBACK: "allow", JWKS_LOOPBACK: "" };
  expect(readConfig(gatewayConfig, { DATABASE_URL, ...given })).toMatchObject({
    TARGET_LOOPBACK: "allow",
    JWKS_LOOPBACK: "deny",
  });
  const { faults } = readFaults({ DATABASE_URL, TARGET_LOOPBACK: "yes", JWKS_LOOPBACK: "127.0.0.1" });
  expect(faults.map(({ pointer }) => pointer)).toEqual(["TARGET_LOOPBACK", "JWKS_LOOPBACK"]);
});

describe("TARGET_ALLOW and TARGET_DENY", () => {
  test("are read, and are empty when not given", () => {
    expect(readConfig(gatewayConfig, { DATABASE_URL, TARGET_ALLOW: "" })).toMatchObject({
      TARGET_ALLOW: [],
      TARGET_DENY: [],
    });
    const config = readConfig(gatewayConfig, {
      DATABASE_URL,
      TARGET_ALLOW: "10.0.0.0/8",
      TARGET_DENY: "*.internal,::1",
    });
    expect(config.TARGET_ALLOW).toHaveLength(1);
    expect(config.TARGET_DENY).toHaveLength(2);
  });

  test("name the entry that is wrong", () => {
    const { faults } = readFaults({ DATABASE_URL, TARGET_ALLOW: "10.0.0.1/8", TARGET_DENY: "a.example, http://b" });
    expect(faults).toEqual([
      { pointer: "TARGET_ALLOW", detail: 'has "10.0.0.1/8", which has bits set beyond its prefix' },
      { pointer: "TARGET_DENY", detail: expect.stringContaining('has "http://b", which is neither an address') },
    ]);
  });
});

const readProxies = (TRUSTED_PROXIES: string) =>
  readConfig(gatewayConfig, { DATABASE_URL, TRUSTED_PROXIES }).TRUSTED_PROXIES;

test("TRUSTED_PROXIES are networks and addresses, and no names: a name does not say who holds a connection", () => {
  expect(readProxies("")).toEqual([]);
  expect(readProxies("10.0.0.0/8, 192.0.2.7,fd00::/8")).toHaveLength(3);
  for (const [wrong, detail] of [
    ["10.0.0.0/8, proxy.internal", 'has "proxy.internal", which is a name'],
    ["10.0.0.1/8", 'has "10.0.0.1/8", which has bits set beyond its prefix'],
    ["10.0.0.0/33", expect.stringContaining('has "10.0.0.0/33"')],
  ] as const) {
    expect(readFaults({ DATABASE_URL, TRUSTED_PROXIES: wrong }).faults).toEqual([
      { pointer: "TRUSTED_PROXIES", detail },
    ]);
  }
});

describe("a secret in a file", () => {
  test("is read without the white space around it", () => {
    const config = readConfig(gatewayConfig, { DATABASE_URL_FILE: file("url", `${DATABASE_URL}\n`) });
    expect(config.DATABASE_URL.reveal()).toBe(DATABASE_URL);
  });

  test("that is empty, missing or a folder is a fault, and not also a missing variable", () => {
    const { faults } = readFaults({
      DATABASE_URL_FILE: file("empty", " \n"),
      MASTER_KEY_FILE: join(dir, "nothing"),
      ADMIN_API_KEY_FILE: dir,
    });
    expect(faults).toEqual([
      { pointer: "DATABASE_URL_FILE", detail: expect.stringContaining("empty file") },
      { pointer: "MASTER_KEY_FILE", detail: expect.stringContaining("ENOENT") },
      { pointer: "ADMIN_API_KEY_FILE", detail: expect.stringContaining("EISDIR") },
    ]);
  });

  test("together with the variable itself is a fault, because nobody could say which one counts", () => {
    const { faults } = readFaults({ DATABASE_URL, DATABASE_URL_FILE: file("second", DATABASE_URL) });
    expect(faults).toEqual([{ pointer: "DATABASE_URL", detail: expect.stringContaining("twice") }]);
  });

  test("is not read for a variable that is not a secret", () => {
    expect(readConfig(gatewayConfig, { DATABASE_URL, PORT_FILE: file("port", "1234") }).PORT).toBe(8080);
  });
});

describe("secrets", () => {
  const HIDDEN = [
    "hunter2",
    "redispassword",
    VALID.MASTER_KEY,
    "an-admin-key",
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "BwcHBwcH",
  ];

  test("are not revealed by printing a configuration", () => {
    const config: GatewayConfig = readConfig(gatewayConfig, VALID);
    const shown = [
      inspect(config, { depth: 9, showHidden: true }),
      JSON.stringify(config),
      Object.values(config).map(String).join(" "),
    ].join("\n");
    for (const text of HIDDEN) expect(shown).not.toContain(text);
    expect(shown).toContain("[secret]");
  });

  test("are not repeated by the message about their faults", () => {
    const { message, faults } = readFaults({
      DATABASE_URL: "mysql://sluice:hunter2@db/sluice",
      REDIS_URL: "redispassword",
      MASTER_KEY: `${VALID.MASTER_KEY}BwcHBwcH`,
      ADMIN_API_KEY: "an-admin-key",
      GEMINI_SIGNING_SECRET: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    });
    expect(faults).toHaveLength(5);
    for (const text of HIDDEN) expect(message + JSON.stringify(faults)).not.toContain(text);
  });
});

test("a person can sign in by a proxy only where the header, the people and the proxies are all set", () => {
  const all = {
    CONSOLE_IDENTITY_HEADER: "X-Forwarded-Email",
    CONSOLE_IDENTITIES: "ann@example.com=admin, *@Example.com=READ",
    TRUSTED_PROXIES: "10.0.0.1",
  };
  expect(readConfig(gatewayConfig, { DATABASE_URL, ...all }).CONSOLE_IDENTITIES).toEqual([
    { name: "ann@example.com", scope: "admin" },
    { name: "*@example.com", scope: "read" },
  ]);
  for (const name of Object.keys(all)) {
    const faults = readFaults({ DATABASE_URL, ...all, [name]: "" }).faults;
    expect(faults.map(({ pointer }) => pointer)).toEqual([name]);
  }
  for (const wrong of ["ann@example.com", "*=read", "*@=read", "ann@example.com=owner", "=read", "a b=read"]) {
    expect(readFaults({ DATABASE_URL, ...all, CONSOLE_IDENTITIES: wrong }).faults[0]?.pointer).toBe(
      "CONSOLE_IDENTITIES",
    );
  }
});

const readHosts = (API_HOSTS: string) => readConfig(gatewayConfig, { DATABASE_URL, API_HOSTS }).API_HOSTS;

test("API_HOSTS are host names and addresses without a scheme and a port", () => {
  expect(readHosts("sluice.internal, 10.0.0.0/8, *.svc").map(({ kind }) => kind)).toEqual(["name", "range", "name"]);
  for (const wrong of ["https://sluice.internal", "sluice.internal:8081", "a b"]) {
    expect(readFaults({ DATABASE_URL, API_HOSTS: wrong }).faults[0]?.pointer).toBe("API_HOSTS");
  }
});
