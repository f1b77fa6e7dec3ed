// A wait with an end: what does not settle in time goes on, and nobody waits for it.

/**
 * Of a limit, the parts that are counted one after the other: when this process itself stands still (its machine was
 * paused, its turn on the processor did not come), that is one part at most, and no store is blamed for it.
 */
const PARTS = 4;

/** @returns what the promise resolves to, or undefined when it does not settle in time. A rejection is passed on. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const timeout = Promise.withResolvers<undefined>();
  let partsLeft = PARTS;
  const wait = () =>
    setTimeout(() => {
      partsLeft -= 1;
      if (partsLeft === 0) timeout.resolve(undefined);
      else timer = wait();
    }, ms / PARTS);
  let timer = wait();
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a promise settles in time, in whichever way. */
export async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  return (await within(ms, promise.then(settled, settled))) === true;
}

const settled = () => true;
