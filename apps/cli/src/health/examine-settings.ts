// Judges the settings of a gateway, and the secrets of its sources.

import type { Schemas } from "@sluice/client/client";

import { type DoctorFinding, ok, warning, wrong } from "./finding.ts";

const CHECK = "settings";
/** The source of events that are sent through the API: nobody sends it webhooks. */
const FOR_THE_API = "api";

export function examineSettings(settings: readonly Schemas["SystemSetting"][]): DoctorFinding[] {
  const valueOf = (name: string) => settings.find((each) => each.name === name)?.value ?? null;
  const isSet = (name: string) => settings.find((each) => each.name === name)?.is_set === true;
  const isPublic = valueOf("PUBLIC_URL")?.startsWith("https://") === true;
  const wide = (valueOf("TRUSTED_PROXIES") ?? "").split(",").filter(isWide);
  const level = valueOf("LOG_LEVEL") ?? "";
  const findings = [
    ...warnIf(
      isSet("CONSOLE_IDENTITY_HEADER") && wide.length > 0,
      `Whoever asks from ${wide.join(", ")} can name themselves in the header of CONSOLE_IDENTITY_HEADER: TRUSTED_PROXIES has these networks whole`,
      "Name the address of the proxy that signs people in, and no other: docs/console.md.",
    ),
    ...warnIf(
      isPublic && valueOf("TARGET_LOOPBACK") === "allow",
      "TARGET_LOOPBACK=allow lets targets be on the machine of the relay, and this relay is public",
      "Leave it out, unless a target really runs there: docs/targets.md.",
    ),
    ...warnIf(
      isPublic && valueOf("JWKS_LOOPBACK") === "allow",
      "JWKS_LOOPBACK=allow lets key sets be on the machine of the relay, and this relay is public",
      "Leave it out: it is for tests.",
    ),
    ...warnIf(
      valueOf("REDIS_DURABILITY") === "assume",
      "REDIS_DURABILITY=assume: nobody checks whether Redis keeps what it confirms",
      "Leave it out, unless Redis forbids to read its settings: docs/redis.md.",
    ),
    ...warnIf(
      ["silent", "error", "fatal"].includes(level),
      `LOG_LEVEL=${level} hides warnings`,
      "Set it to info or warn: the log says first what is wrong.",
    ),
    ...warnIf(
      !isSet("MASTER_KEY"),
      `MASTER_KEY is not set: the key is a file in DATA_DIR (${valueOf("DATA_DIR")})`,
      "Keep a copy apart from the database: without it every secret is lost. `sluice backup` seals it into a backup.",
    ),
  ];
  const set = settings.filter((each) => each.is_set).length;
  return findings.length > 0 ? findings : [ok(CHECK, `${set} of ${settings.length} are set, and none stands out`)];
}

const warnIf = (isSo: boolean, found: string, advice: string): DoctorFinding[] =>
  isSo ? [warning(CHECK, found, advice)] : [];

/** The fewest bits that fix the network of a few proxies. */
const NARROW_BITS = { v4: 24, v6: 64 };

/** Whether a network, such as 10.0.0.0/8, has more addresses than proxies need. An address alone is never wide. */
function isWide(network: string): boolean {
  const [address = "", bits] = network.trim().split("/");
  return bits !== undefined && Number(bits) < (address.includes(":") ? NARROW_BITS.v6 : NARROW_BITS.v4);
}

/** A static source proves events by secrets, so that it takes nothing without one. */
export function examineSources(sources: readonly Schemas["Source"][]): DoctorFinding[] {
  const lost = sources.filter(({ lost_secrets: secrets }) => secrets.length > 0).map(({ name }) => name);
  const without = sources
    .filter(
      ({ name, kind, signing_secrets: secrets, lost_secrets: gone }) =>
        kind === "static" && name !== FOR_THE_API && secrets.length === 0 && gone.length === 0,
    )
    .map(({ name }) => name);
  const [first] = without;
  return [
    ...(lost.length > 0
      ? [
          wrong(
            "sources",
            `Secrets were lost with the master key: ${lost.join(", ")}`,
            "`sluice lost-secrets` lists them: set them anew.",
          ),
        ]
      : []),
    ...(without.length > 0
      ? [
          warning(
            "sources",
            `Without a signing secret every webhook is refused: ${without.join(", ")}`,
            `\`sluice sources rotate ${first} --previous revoke_immediately --secret @FILE\` takes the one that Gemini showed you. ` +
              `\`sluice upstream register ${first}\` gets one: docs/upstream.md has what that needs.`,
          ),
        ]
      : []),
    ...(lost.length + without.length === 0 ? [ok("sources", `${sources.length} have what they verify with`)] : []),
  ];
}
