// The guard refuses dangerous addresses in every spelling that leads to them, and keeps to the rules of an operator.

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { guardOf } from "../../../../tests/support/guard.ts";
import { portOf } from "./guard.ts";
import { OwnServices } from "./own-services.ts";
import { readAddressRules } from "./rules.ts";

const open = guardOf();
const hex = (value: number) => value.toString(16);
const pair = (high: number, low: number) => hex(high * 256 + low);
/** Judges the host of a target's URI as gateway and worker do. */
function refuse(uri: string, guard = open): string | undefined {
  const url = new URL(uri);
  return guard.refuseHost(url.hostname, portOf(url));
}

describe("addresses that are always refused", () => {
  test.for([
    ["dotted", "169.254.169.254"],
    ["with a dot at the end", "169.254.169.254."],
    ["a decimal number", "2852039166"],
    ["a hexadecimal number", "0xA9FEA9FE"],
    ["an octal number", "025177524776"],
    ["octal parts", "0251.0376.0251.0376"],
    ["hexadecimal parts", "0xa9.0xfe.0xa9.0xfe"],
    ["mixed parts", "0xa9.254.0251.254"],
    ["three parts", "169.254.43518"],
    ["two parts", "169.16689662"],
    ["leading zeros", "0000251.0376.169.254"],
    ["percent-encoded", "%31%36%39.254.169.254"],
    ["full-width digits and dots", "１６９。２５４．１６９｡２５４"],
    ["circled digits", "①⑥⑨.②⑤④.①⑥⑨.②⑤④"],
    ["IPv4-mapped", "[::ffff:169.254.169.254]"],
    ["IPv4-mapped in hexadecimal", "[::FFFF:A9FE:A9FE]"],
    ["IPv4-mapped in full", "[0000:0000:0000:0000:0000:ffff:a9fe:a9fe]"],
    ["IPv4-compatible", "[::169.254.169.254]"],
    ["IPv4-translated", "[::ffff:0:169.254.169.254]"],
    ["NAT64", "[64:ff9b::169.254.169.254]"],
    ["NAT64 for local use, /96", "[64:ff9b:1::a9fe:a9fe]"],
    ["NAT64 for local use, /48", "[64:ff9b:1:a9fe:00a9:fe00::]"],
    ["6to4", "[2002:a9fe:a9fe::1]"],
    ["Teredo, its client", "[2001:0:102:304::5601:5601]"],
    ["Teredo, its server", "[2001:0:a9fe:a9fe::1]"],
    ["ISATAP", "[2001:db8::5efe:169.254.169.254]"],
    ["ISATAP, universal", "[fd00::200:5efe:a9fe:a9fe]"],
  ])("the metadata address, %s", ([, host]) => {
    expect(refuse(`http://${host}:8080/latest`)).toMatch(/169\.254\.169\.254[:,] link-local \(169\.254\.0\.0\/16\)$/);
  });

  test.for([
    ["169.254.0.1", "link-local"],
    ["169.254.170.2", "link-local"],
    ["[fe80::1]", "link-local"],
    ["[febf:ffff::1]", "link-local"],
    ["[fe80::a9fe:a9fe]", "link-local"],
    ["[fd00:ec2::254]", "AWS"],
    ["[fd00:0ec2:0:0:0:0:0:0254]", "AWS"],
    ["[fd00:ec2::23]", "EKS"],
    ["[fd20:ce::254]", "Google"],
    ["168.63.129.16", "Azure"],
    ["100.100.100.200", "Alibaba"],
    ["[fd00:100::100:200]", "Alibaba"],
    ["192.0.0.192", "Oracle"],
    ["[fd00:c1::a9fe:a9fe]", "Oracle"],
    ["[fd00:42::42]", "Scaleway"],
    ["[fd00:a9fe:a9fe::1]", "Akamai"],
    ["0.0.0.0", "unspecified"],
    ["0", "unspecified"],
    ["0.1.2.3", "unspecified"],
    ["[::]", "unspecified"],
    ["[::ffff:0.0.0.0]", "unspecified"],
    ["224.0.0.1", "multicast"],
    ["239.255.255.255", "multicast"],
    ["[ff02::1]", "multicast"],
    ["255.255.255.255", "broadcast"],
  ])("%s: %s", ([host, what]) => {
    expect(refuse(`https://${host}/`)).toContain(what);
  });

  test("an allow list does not open them", () => {
    const guard = guardOf({ allow: "0.0.0.0/0, ::/0, metadata.internal" });
    expect(refuse("http://169.254.169.254/", guard)).toContain("link-local");
    expect(guard.refuseAddress("metadata.internal", "169.254.169.254", 80)).toBe(
      "metadata.internal is 169.254.169.254: link-local (169.254.0.0/16)",
    );
  });

  test("a zone, as resolvers and sockets write it, changes nothing", () => {
    expect(open.refuseAddress("a.example", "fe80::1%eth0", 80)).toContain("link-local");
    expect(open.refuseAddress("a.example", "::ffff:169.254.169.254%1", 80)).toContain("link-local");
    expect(URL.canParse("http://[fe80::1%25eth0]/")).toBe(false);
  });

  test.for(["", "unknown", "169.254.169", "1.2.3.4/8", "[::1]"])("%j is not an address, and is refused too", (text) => {
    expect(open.refuseAddress("a.example", text, 80)).toContain("not an address");
  });
});

describe("addresses that are open", () => {
  test.for([
    "127.0.0.1",
    "127.1",
    "localhost",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.201",
    "169.253.255.255",
    "169.255.0.0",
    "168.63.129.17",
    "192.0.0.193",
    "223.255.255.255",
    "240.0.0.1",
    "255.255.255.254",
    "1.1.1.1",
    "[fd00::1]",
    "[fd00:ec2::253]",
    "[fec0::1]",
    "[fe7f::1]",
    "[2001:db8::a9fe:a9fe]",
    "[2001:db8:a9fe:a9fe::1]",
    "[2001:1::a9fe:a9fe]",
    "[2003:a9fe:a9fe::]",
    "[64:ff9b::10.0.0.1]",
    "billing.internal",
    "169.254.169.254.example.com",
  ])("%s", (host) => {
    expect(refuse(`http://${host}/`)).toBeUndefined();
  });
});

describe("loopback that no setting opens", () => {
  const closed = guardOf({ loopback: false, allow: "127.0.0.0/8, ::1, 0.0.0.0/0, localhost, billing.internal" });

  test.for([
    "127.0.0.1",
    "127.8.9.10",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "localhost",
    "LOCALHOST.",
    "billing.localhost",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::1]",
  ])("%s is refused, whatever TARGET_ALLOW says", (host) => {
    expect(refuse(`http://${host}:9/`, closed)).toMatch(/loopback, which TARGET_LOOPBACK=allow opens$/);
  });

  test.for(["127.0.0.1", "127.0.0.53", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1"])(
    "a name that resolves to %s is refused",
    (address) => {
      expect(closed.refuseAddress("billing.internal", address, 80)).toMatch(/^billing\.internal is .*loopback, which/);
    },
  );

  test("every other address stays open", () => {
    const guard = guardOf({ loopback: false });
    for (const host of ["10.0.0.1", "[fd00::1]", "[1::1]", "localhost.example", "xlocalhost", "128.0.0.1"]) {
      expect(refuse(`http://${host}/`, guard)).toBeUndefined();
    }
  });
});

test("what the relay itself has at an address and port is refused, whatever TARGET_ALLOW says", () => {
  const api = { what: "API (API_PORT)", host: "10.0.0.7", port: 8081, mayListenOnMore: false };
  const guard = guardOf({ allow: "10.0.0.0/8", ownServices: new OwnServices([api]) });
  for (const host of ["10.0.0.7", "167772167", "0x0a.0.0.7", "[::ffff:10.0.0.7]", "[64:ff9b::10.0.0.7]"]) {
    expect(refuse(`http://${host}:8081/v1`, guard)).toMatch(/, port 8081: the relay's own API \(API_PORT\)$/);
  }
  expect(guard.refuseAddress("a.example", "10.0.0.7", 8081)).toBe(
    "a.example is 10.0.0.7, port 8081: the relay's own API (API_PORT)",
  );
  expect(refuse("http://10.0.0.7:8082/", guard)).toBeUndefined();
  expect(refuse("http://10.0.0.8:8081/", guard)).toBeUndefined();
});

test("a URL without a port leads to the port of its scheme", () => {
  const ports = ["http://a.example/", "https://a.example/", "https://a.example:8443/"].map((uri) =>
    portOf(new URL(uri)),
  );
  expect(ports).toEqual([80, 443, 8443]);
});

/** Embeds an IPv4 address in one of twelve forms. The groups of `prefix` fill the rest. */
function embed([a, b, c, d]: readonly [number, number, number, number], prefix: number[], form: number): string {
  const [high, low] = [pair(a, b), pair(c, d)];
  const x = prefix.map(hex);
  const forms = [
    `::ffff:${a}.${b}.${c}.${d}`,
    `::ffff:${high}:${low}`,
    `0:0:0:0:0:FFFF:${high}:${low}`,
    `::ffff:0:${high}:${low}`,
    `64:ff9b::${high}:${low}`,
    `64:ff9b:1:${x[0]}:${x[1]}:${x[2]}:${high}:${low}`,
    `64:ff9b:1:${high}:${pair(0, c)}:${pair(d, 0)}:${x[0]}:${x[1]}`,
    `64:ff9b:1:${pair((prefix[0] ?? 0) & 255, a)}:${pair(0, b)}:${low}:${x[1]}:${x[2]}`,
    `64:ff9b:1:${x[0]}:${pair(0, a)}:${pair(b, c)}:${pair(d, 0)}:${x[1]}`,
    `2002:${high}:${low}:${x.slice(3).join(":")}`,
    `2001:0:${x.slice(0, 4).join(":")}:${pair(255 - a, 255 - b)}:${pair(255 - c, 255 - d)}`,
    `${x.slice(0, 4).join(":")}:${(prefix[4] ?? 0) % 2 === 0 ? "0" : "200"}:5efe:${high}:${low}`,
  ];
  return forms[form] ?? "";
}

describe("every embedding of an IPv4 address", () => {
  const byte = fc.nat({ max: 255 });
  const group = fc.nat({ max: 0xffff });
  const embeddings = fc.record({ prefix: fc.array(group, { minLength: 8, maxLength: 8 }), form: fc.nat({ max: 11 }) });

  test("is refused when the IPv4 address is forbidden", () => {
    const forbidden = fc.oneof(
      fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
      fc.tuple(fc.integer({ min: 224, max: 239 }), byte, byte, byte),
      fc.tuple(fc.constant(0), byte, byte, byte),
      fc.constantFrom<[number, number, number, number][]>(
        [168, 63, 129, 16],
        [100, 100, 100, 200],
        [192, 0, 0, 192],
        [255, 255, 255, 255],
      ),
    );
    fc.assert(
      fc.property(forbidden, embeddings, (ip, { prefix, form }) => {
        const address = embed(ip, prefix, form);
        return (
          open.refuseAddress("a.example", address, 80) !== undefined && refuse(`http://[${address}]/`) !== undefined
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("is refused when the operator denies the IPv4 address; an IPv4 range allows only the mapped form", () => {
    const deny = guardOf({ deny: "10.0.0.0/8" });
    const allow = guardOf({ allow: "10.0.0.0/8" });
    fc.assert(
      fc.property(byte, byte, byte, embeddings, (b, c, d, { prefix, form }) => {
        const address = embed([10, b, c, d], prefix, form);
        if (deny.refuseAddress("a.example", address, 80) === undefined) return false;
        const isMapped = form <= 2;
        return (allow.refuseAddress("a.example", address, 80) === undefined) === isMapped;
      }),
      { numRuns: 2_000 },
    );
  });

  test("every spelling of an IPv4 address is one address", () => {
    const spelling = fc.constantFrom(
      (value: number) => String(value),
      (value: number) => `0x${hex(value)}`,
      (value: number) => `0${value.toString(8)}`,
    );
    fc.assert(
      fc.property(byte, byte, spelling, spelling, spelling, fc.nat({ max: 2 }), (c, d, p, q, r, parts) => {
        const host =
          parts === 0
            ? p(169 * 2 ** 24 + 254 * 2 ** 16 + c * 256 + d)
            : parts === 1
              ? `${p(169)}.${q(254 * 2 ** 16 + c * 256 + d)}`
              : `${p(169)}.${q(254)}.${r(c * 256 + d)}`;
        return refuse(`http://${host}/`)?.startsWith(`169.254.${c}.${d}: link-local`) === true;
      }),
    );
  });
});

describe("TARGET_DENY and TARGET_ALLOW", () => {
  test("a denied range refuses an address at once, and a name when it is resolved", () => {
    const guard = guardOf({ deny: "10.0.0.0/8, 192.0.2.7, fd00::/8" });
    expect(refuse("http://10.1.2.3/", guard)).toBe("10.1.2.3: TARGET_DENY has 10.0.0.0/8");
    expect(refuse("http://167838211/", guard)).toContain("10.0.0.0/8");
    expect(refuse("http://[::ffff:10.1.2.3]/", guard)).toContain("holds 10.1.2.3, TARGET_DENY has 10.0.0.0/8");
    expect(refuse("http://192.0.2.7/", guard)).toContain("TARGET_DENY");
    expect(refuse("http://192.0.2.8/", guard)).toBeUndefined();
    expect(refuse("http://[fdff::1]/", guard)).toContain("fd00::/8");
    expect(refuse("http://billing.example/", guard)).toBeUndefined();
    expect(guard.refuseAddress("billing.example", "10.0.0.1", 80)).toContain(
      "billing.example is 10.0.0.1: TARGET_DENY",
    );
  });

  test("names match in any case, with or without a dot at the end, and a wildcard matches all names below it", () => {
    const guard = guardOf({ deny: "Admin.Example, *.Internal, bücher.example" });
    for (const host of ["admin.example", "ADMIN.EXAMPLE.", "a.internal", "a.b.internal.", "BÜCHER.example"]) {
      expect(refuse(`http://${host}/`, guard)).toContain("TARGET_DENY has");
      expect(guard.refuseAddress(new URL(`http://${host}/`).hostname, "10.0.0.1", 80)).toContain("TARGET_DENY has");
    }
    for (const host of ["internal", "xinternal", "a.internal.example", "sub.admin.example"]) {
      expect(refuse(`http://${host}/`, guard)).toBeUndefined();
    }
  });

  test("an allow list closes everything else", () => {
    const guard = guardOf({ allow: "10.0.0.0/8, *.svc.local" });
    expect(refuse("http://10.1.2.3/", guard)).toBeUndefined();
    expect(refuse("http://11.1.2.3/", guard)).toBe("11.1.2.3: not in TARGET_ALLOW");
    expect(refuse("http://[::1]/", guard)).toContain("not in TARGET_ALLOW");
    expect(guard.refuseAddress("a.svc.local", "192.168.0.1", 80)).toBeUndefined();
    // The name may have an address in the range. That is judged when the name is resolved.
    expect(refuse("http://a.example/", guard)).toBeUndefined();
    expect(guard.refuseAddress("a.example", "10.0.0.1", 80)).toBeUndefined();
    expect(guard.refuseAddress("a.example", "192.168.0.1", 80)).toContain("not in TARGET_ALLOW");
    expect(refuse("http://a.example/", guardOf({ allow: "*.svc.local" }))).toBe("a.example: not in TARGET_ALLOW");
  });

  test("a denied address or name stays denied when it is also allowed", () => {
    const guard = guardOf({ allow: "10.0.0.0/8, a.example", deny: "10.0.0.1, b.example" });
    expect(guard.refuseAddress("a.example", "10.0.0.1", 80)).toContain("TARGET_DENY has 10.0.0.1");
    expect(guard.refuseAddress("b.example", "10.0.0.2", 80)).toContain("TARGET_DENY has b.example");
    expect(guard.refuseAddress("a.example", "10.0.0.2", 80)).toBeUndefined();
  });

  test("a list may have white space and end with a comma", () => {
    expect(readAddressRules(" 10.0.0.0/8 ,, ::1,a_b.example,")).toMatchObject({
      rules: [{ text: "10.0.0.0/8" }, { text: "::1" }, { text: "a_b.example" }],
    });
  });

  test.for<[string, string]>([
    ["10.0.0.1/8", "bits set beyond"],
    ["fd00::1/8", "bits set beyond"],
    ["10.0.0.0/33", "neither"],
    ["10.0.0.0/", "neither"],
    ["10.0.0.0/08", "neither"],
    ["10.0.0.0/8/8", "neither"],
    ["fd00::/129", "neither"],
    ["10.0.0", "as in 10.0.0.0"],
    ["0x7f000001", "as in 127.0.0.1"],
    ["2130706433", "as in 127.0.0.1"],
    ["::ffff:10.0.0.0/104", "as in 10.0.0.0"],
    ["fe80::1%eth0", "neither"],
    ["[::1]", "neither"],
    ["*", "neither"],
    ["*.*.internal", "neither"],
    ["a.*.internal", "neither"],
    ["http://a.example", "neither"],
    ["a.example:80", "neither"],
    ["a..example", "neither"],
    ["a b", "neither"],
  ])("%s is a fault, and the message names it", ([entry, fault]) => {
    expect(readAddressRules(`10.0.0.0/8,${entry}`)).toEqual({
      fault: expect.stringMatching(new RegExp(`^has "${entry.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}", .*${fault}`)),
    });
  });
});
