// The people whom an authenticating proxy names in a header, and what each may do: CONSOLE_IDENTITIES. Failure policy: closed. A
// header that names several people, or nobody whom a rule names, names nobody.

import type { Scope } from "@sluice/store/schema";

/** `ann@example.com=admin`, `*@example.com=read`, or `operators=write` for a group. */
export interface IdentityRule {
  /** In lower case. */
  name: string;
  scope: Scope;
}

export interface Identity {
  /** What the proxy named, in lower case. */
  name: string;
  scope: Scope;
}

const RULE = /^(?<name>\*@[^\s*=@,]+|[^\s*=,]+)\s*=\s*(?<scope>read|write|admin)$/i;
/** The identity provider, which Google's Identity-Aware Proxy writes before an address. */
const PROVIDER = /^accounts\.google\.com:/;
/** The name stands in each entry of the audit trail. */
const MAX_LENGTH = 200;

/** Reads a list separated by commas. @returns the rules, or a sentence on the first entry that is wrong. */
export function readIdentityRules(text: string): { rules: IdentityRule[] } | { fault: string } {
  const rules: IdentityRule[] = [];
  for (const entry of text.split(",").map((part) => part.trim())) {
    if (entry === "") continue;
    const { name, scope } = RULE.exec(entry)?.groups ?? {};
    if (name === undefined || scope === undefined) {
      const forms = "ann@example.com=admin, *@example.com=read or group=write, with one of read, write and admin";
      return { fault: `has ${JSON.stringify(entry)}, which is not of the form ${forms}` };
    }
    rules.push({ name: name.toLowerCase(), scope: scope.toLowerCase() as Scope });
  }
  return { rules };
}

/**
 * The first rule that fits decides.
 * @param header an address, or the names of groups, separated by commas.
 */
export function findIdentity(header: string, rules: readonly IdentityRule[]): Identity | undefined {
  const names = header.split(",").map((part) => part.trim().toLowerCase().replace(PROVIDER, ""));
  // A client that sends the header itself must not be named beside the person whom the proxy adds to it.
  if (names.length > 1 && names.some((name) => name.includes("@"))) return undefined;
  const name = names.join(",");
  const rule = rules.find((each) => names.some((one) => fits(one, each.name)));
  return rule === undefined || name.length > MAX_LENGTH ? undefined : { name, scope: rule.scope };
}

function fits(name: string, pattern: string): boolean {
  if (!pattern.startsWith("*@")) return name === pattern;
  // Exactly one "@", so that nobody brings two domains.
  const parts = name.split("@");
  return parts.length === 2 && parts[0] !== "" && `*@${parts[1]}` === pattern;
}
