// The addresses that no setting opens for targets. At some of them, a cloud gives its credentials to every program
// inside of it. The others are not the address of one other host.

import { type IpRange, requireRange } from "./ip.ts";

/** Each range with what it is, and the source of that. */
const FORBIDDEN: readonly (readonly [range: string, what: string, source: string])[] = [
  // The metadata services of nearly all clouds are in this range, and those of container platforms (169.254.170.2, …).
  ["169.254.0.0/16", "link-local", "RFC 3927"],
  ["fe80::/10", "link-local", "RFC 4291, 2.5.6"],
  [
    "fd00:ec2::254/128",
    "metadata of AWS",
    "docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html",
  ],
  ["fd00:ec2::23/128", "credentials of AWS EKS", "docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html"],
  ["fd20:ce::254/128", "metadata of Google Cloud", "cloud.google.com/compute/docs/metadata/querying-metadata"],
  [
    "168.63.129.16/32",
    "wire server of Azure",
    "learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16",
  ],
  ["100.100.100.200/32", "metadata of Alibaba Cloud", "alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata"],
  [
    "fd00:100::100:200/128",
    "metadata of Alibaba Cloud",
    "alibabacloud.com/help/en/ecs/user-guide/view-instance-metadata",
  ],
  ["192.0.0.192/32", "metadata of Oracle Cloud", "docs.oracle.com, Oracle Cloud Infrastructure Compute Classic"],
  [
    "fd00:c1::a9fe:a9fe/128",
    "metadata of Oracle Cloud",
    "docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm",
  ],
  ["fd00:42::42/128", "metadata of Scaleway", "docs.cloud-init.io, datasource Scaleway"],
  ["fd00:a9fe:a9fe::1/128", "metadata of Akamai", "techdocs.akamai.com/cloud-computing/docs/metadata-service-api"],
  // Addresses in these two ranges reach this host itself, even when TARGET_DENY has the loopback addresses.
  ["0.0.0.0/8", "unspecified", "RFC 1122, 3.2.1.3"],
  ["::/128", "unspecified", "RFC 4291, 2.5.2"],
  ["224.0.0.0/4", "multicast", "RFC 5771"],
  ["ff00::/8", "multicast", "RFC 4291, 2.7"],
  ["255.255.255.255/32", "broadcast", "RFC 919, 7"],
];

export interface ForbiddenRange {
  range: IpRange;
  /** Such as "link-local (169.254.0.0/16)". */
  name: string;
}

export const FORBIDDEN_RANGES: readonly ForbiddenRange[] = FORBIDDEN.map(([text, what]) => ({
  range: requireRange(text),
  name: `${what} (${text})`,
}));
