// All faults, in the order of the table.

import { diskFaults } from "./disk-faults.ts";
import { failoverFaults } from "./failover-faults.ts";
import type { Fault } from "./fault.ts";
import { listenFaults } from "./listen-faults.ts";
import { neighbourFaults } from "./neighbour-faults.ts";
import { networkFaults } from "./network-faults.ts";
import { poolerFaults } from "./pooler-faults.ts";
import { processFaults } from "./process-faults.ts";
import { retentionFaults } from "./retention-faults.ts";
import { scaleFaults } from "./scale-faults.ts";
import { storeFaults } from "./store-faults.ts";
import { targetFaults } from "./target-faults.ts";

export const FAULTS: readonly Fault[] = [
  ...processFaults,
  ...storeFaults,
  ...diskFaults,
  ...failoverFaults,
  ...poolerFaults,
  ...networkFaults,
  ...targetFaults,
  ...listenFaults,
  ...neighbourFaults,
  ...retentionFaults,
  ...scaleFaults,
];
