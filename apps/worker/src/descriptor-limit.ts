// How many requests a worker may have in flight, by the file descriptors that its process may have.

/** For PostgreSQL, Redis, the health port, logs, and Node itself. */
const OTHER_DESCRIPTORS = 128;
/** More requests at once do not make a worker faster: its one thread sends some thousands a second. */
const MOST_IN_FLIGHT = 512;
const LEAST_IN_FLIGHT = 8;
/** So many idle connections for each request in flight: each takes some 30 KB, and saves a handshake. */
const KEPT_FACTOR = 8;

export interface ConnectionLimits {
  /** Requests in flight at once, over all targets. */
  maxInFlight: number;
  /** Connections above which none stays open after its request. */
  keptSockets: number;
  /** The descriptors that the process may have; undefined where the system has no such limit. */
  descriptors: number | undefined;
  /** Whether the setting allows more requests than the process can have connections. */
  isAboveDescriptors: boolean;
}

/**
 * @param wanted the setting; undefined for what fits the process.
 * @param descriptors undefined where the system has no such limit.
 */
export function limitConnectionsToTargets(
  wanted: number | undefined,
  descriptors = readDescriptorLimit(),
): ConnectionLimits {
  const free = descriptors === undefined ? Number.POSITIVE_INFINITY : descriptors - OTHER_DESCRIPTORS;
  // A third for requests, and the rest for connections that stay open: undici often opens another connection for a
  // request that follows at once, because the one before it is not free yet.
  const fitting = Math.max(LEAST_IN_FLIGHT, Math.min(MOST_IN_FLIGHT, Math.floor(free / 3)));
  const maxInFlight = wanted ?? fitting;
  const keptSockets = Math.max(0, Math.min(KEPT_FACTOR * maxInFlight, free - maxInFlight));
  return { maxInFlight, keptSockets, descriptors, isAboveDescriptors: maxInFlight > free };
}

/** The soft limit. Node raises it to the hard limit at its start. */
function readDescriptorLimit(): number | undefined {
  // Without this, Node may look up the names of the interfaces, which takes time. Its type lacks the property.
  Object.assign(process.report, { excludeNetwork: true });
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  const limit = Number(userLimits?.open_files?.soft);
  return Number.isFinite(limit) ? limit : undefined;
}
