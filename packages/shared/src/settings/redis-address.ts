// Reads REDIS_URL: one Redis, a cluster, or a Redis that Sentinels watch. What cannot be meant is a fault with a name,
// at the start, and never a failed connection later. Pure.

export interface RedisHost {
  host: string;
  port: number;
}

interface RedisLogin {
  username: string | undefined;
  password: string | undefined;
}

interface CommonAddress extends RedisLogin {
  /** Whether every connection uses TLS: the ones to sentinels too. */
  tls: boolean;
  /** The family of the addresses that a host name leads to: 4, 6, or 0 for both. */
  family: number | undefined;
}

export type RedisAddress =
  | (CommonAddress & RedisHost & { kind: "single"; db: number })
  /** Any nodes of the cluster; the others are found. A cluster has only the database 0. */
  | (CommonAddress & { kind: "cluster"; hosts: RedisHost[] })
  /** `hosts` are sentinels, which know where the master is. */
  | (CommonAddress & { kind: "sentinel"; hosts: RedisHost[]; db: number; master: string; sentinelLogin: RedisLogin });

export type RedisAddressKind = RedisAddress["kind"];

const URL_PARTS = /^redis(s?)(?:\+(cluster|sentinel))?:\/\/(?:([^?]*)@)?([^@/?]*)(\/[^?]*)?(?:\?(.*))?$/is;
const HOST = /^(?:\[([0-9a-f:.]+)\]|([\p{L}\p{N}._-]+))(?::([0-9]{1,5}))?$/iu;
const DEFAULT_PORTS: Record<RedisAddressKind, number> = { single: 6379, cluster: 6379, sentinel: 26_379 };
const PARAMETERS: Record<RedisAddressKind, readonly string[]> = {
  single: ["family"],
  cluster: ["family"],
  sentinel: ["family", "master", "sentinel_username", "sentinel_password"],
};
const FAMILIES = ["0", "4", "6"];
/** Far above what any Redis has. */
const MAX_DB = 1_000_000;

/** Thrown inside this file only. Its message is the rest of a sentence whose subject is REDIS_URL. */
class AddressFault extends Error {}

/**
 * @returns the address, or the rest of a sentence on what is wrong, whose subject is REDIS_URL. It has no part of the
 *   URL that could be a password.
 */
export function readRedisAddress(url: string): { address: RedisAddress } | { fault: string } {
  try {
    return { address: parseAddress(url) };
  } catch (error) {
    if (error instanceof AddressFault) return { fault: error.message };
    throw error;
  }
}

function parseAddress(url: string): RedisAddress {
  if (url.includes("#")) throw new AddressFault("has a #; write %23 for a # in a password");
  const parts = URL_PARTS.exec(url);
  if (parts === null) {
    throw new AddressFault(
      "must be a URL such as redis://host:6379, redis+cluster://host1:6379,host2:6379 or " +
        "redis+sentinel://host1:26379,host2:26379/0?master=name; rediss is the same with TLS",
    );
  }
  const [, tls, scheme, userInfo, hostList = "", path = "", query = ""] = parts;
  const kind = (scheme?.toLowerCase() ?? "single") as RedisAddressKind;
  const hosts = readHosts(kind, hostList);
  const db = readDb(kind, path);
  const parameters = readParameters(kind, query);
  const family = parameters.get("family");
  if (family !== undefined && !FAMILIES.includes(family)) throw new AddressFault("needs 0, 4 or 6 as family");
  const common: CommonAddress = {
    tls: tls !== "",
    ...readLogin(userInfo),
    family: family === undefined ? undefined : Number(family),
  };
  switch (kind) {
    case "cluster":
      return { kind, ...common, hosts };
    case "sentinel": {
      const master = parameters.get("master");
      if (master === undefined || master === "") {
        throw new AddressFault("needs the name under which the sentinels know the master, such as ?master=mymaster");
      }
      const sentinelLogin = {
        username: parameters.get("sentinel_username"),
        password: parameters.get("sentinel_password"),
      };
      if (sentinelLogin.username !== undefined && sentinelLogin.password === undefined) {
        throw new AddressFault("has a sentinel_username without a sentinel_password");
      }
      return { kind, ...common, hosts, db, master, sentinelLogin };
    }
    case "single": {
      const [only, second] = hosts;
      if (only === undefined || second !== undefined) {
        throw new AddressFault("names several hosts; begin it with redis+cluster:// or redis+sentinel://");
      }
      return { kind, ...common, ...only, db };
    }
  }
}

function readHosts(kind: RedisAddressKind, list: string): RedisHost[] {
  return list.split(",").map((text) => {
    const [, ipv6, name, port] = HOST.exec(text) ?? [];
    const host = ipv6 ?? name;
    if (host === undefined) {
      throw new AddressFault("needs hosts such as redis.internal:6379 or [::1]:6379; write %3F for a ? in a password");
    }
    const number = port === undefined ? DEFAULT_PORTS[kind] : Number(port);
    if (number < 1 || number > 65_535) throw new AddressFault("has a port that is not from 1 to 65535");
    return { host, port: number };
  });
}

function readLogin(userInfo: string | undefined): RedisLogin {
  if (userInfo === undefined || userInfo === "") return { username: undefined, password: undefined };
  const [username, ...rest] = userInfo.split(":");
  if (rest.length === 0) throw new AddressFault("has a user without a password; for a password alone write :password@");
  const password = decode(rest.join(":"), "user and password");
  return { username: decode(username ?? "", "user and password") || undefined, password: password || undefined };
}

function readDb(kind: RedisAddressKind, path: string): number {
  if (path === "" || path === "/") return 0;
  const digits = /^\/([0-9]{1,7})$/.exec(path)?.[1];
  if (digits === undefined || Number(digits) > MAX_DB) {
    throw new AddressFault("has a path that is not the number of a database, such as /0");
  }
  if (kind === "cluster" && Number(digits) !== 0) throw new AddressFault("names a database; a cluster has only 0");
  return Number(digits);
}

function readParameters(kind: RedisAddressKind, query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split("&").filter((each) => each !== "")) {
    const at = part.includes("=") ? part.indexOf("=") : part.length;
    const name = decode(part.slice(0, at), "query");
    if (!PARAMETERS[kind].includes(name)) {
      // Without the unknown name, which may be a part of a password.
      const known = PARAMETERS[kind].join(", ");
      throw new AddressFault(`has an unknown query parameter; known are ${known}`);
    }
    if (parameters.has(name)) throw new AddressFault(`has the query parameter ${name} twice`);
    parameters.set(name, decode(part.slice(at + 1), "query"));
  }
  return parameters;
}

function decode(text: string, where: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AddressFault(`has a % in its ${where} that begins no character of UTF-8; write %25 for a %`);
  }
}
