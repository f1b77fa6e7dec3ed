// A wait with an end: what does not settle in time goes on, and nobody waits for it.

/** @returns what the promise resolves to, or undefined when it does not settle in time. A rejection is passed on. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const timeout = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => timeout.resolve(undefined), ms);
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
