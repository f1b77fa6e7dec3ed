// A wait with an end. A promise that does not settle in time goes on, and nobody waits for it any more.

/**
 * The limit is counted in parts, one timer after the other. When this process itself stands still, because its machine
 * was paused or busy, at most one part passes meanwhile. So a store is not blamed for the time in which we did not
 * listen.
 */
const PARTS = 4;

/** The value of the promise, or undefined when the promise does not settle in time. A rejection is passed on. */
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

/** Waits for a promise, and says whether it resolved or rejected in time. */
export async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  return (await within(ms, promise.then(settled, settled))) === true;
}

const settled = () => true;
