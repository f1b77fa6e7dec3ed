// Keeps requests and signals in memory while a call is under way. Node's `fetch` and `AbortSignal.any` hold them weakly: what the
// garbage collector takes away, nobody can abort any more, and the call goes on until it is answered.

const held = new Set<readonly object[]>();

/** @param objects what an abort passes through. */
export async function whileHeld<T>(objects: readonly object[], work: () => Promise<T>): Promise<T> {
  held.add(objects);
  try {
    return await work();
  } finally {
    held.delete(objects);
  }
}
