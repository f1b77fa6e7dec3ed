// What work costs, told from how long it took: a machine that is busy with others, or stands still, changes nothing.

/** Milliseconds that this thread has computed so far. */
export function cpuTimeMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
