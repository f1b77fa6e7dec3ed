// Makes an address guard from the texts of TARGET_ALLOW and TARGET_DENY. Loopback is open by default, because the servers
// of tests are there.

import { type AddressGuard, createAddressGuard } from "@sluice/shared/address/guard";
import { OwnServices } from "@sluice/shared/address/own-services";
import { type AddressRule, readAddressRules } from "@sluice/shared/address/rules";

interface GuardOptions {
  allow?: string;
  deny?: string;
  loopback?: boolean;
  ownServices?: OwnServices;
}

export function guardOf({
  allow = "",
  deny = "",
  loopback: isOpen = true,
  ownServices = new OwnServices(),
}: GuardOptions = {}): AddressGuard {
  const loopback = { isOpen, setting: "TARGET_LOOPBACK" };
  return createAddressGuard({ allow: rulesOf(allow), deny: rulesOf(deny), loopback, ownServices });
}

function rulesOf(text: string): AddressRule[] {
  const read = readAddressRules(text);
  if ("fault" in read) throw new Error(read.fault);
  return read.rules;
}
