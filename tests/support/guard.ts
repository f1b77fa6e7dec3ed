// Makes an address guard from the texts of TARGET_ALLOW and TARGET_DENY.

import { type AddressGuard, createAddressGuard } from "@sluice/shared/address/guard";
import { type AddressRule, readAddressRules } from "@sluice/shared/address/rules";

export function guardOf({ allow = "", deny = "" }: { allow?: string; deny?: string } = {}): AddressGuard {
  return createAddressGuard({ allow: rulesOf(allow), deny: rulesOf(deny) });
}

function rulesOf(text: string): AddressRule[] {
  const read = readAddressRules(text);
  if ("fault" in read) throw new Error(read.fault);
  return read.rules;
}
