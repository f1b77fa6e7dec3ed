// Measures the cost of work by CPU time, which does not grow when the machine is busy or stands still.

/** The CPU time that this thread has used so far, in milliseconds. */
export function cpuTimeMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
