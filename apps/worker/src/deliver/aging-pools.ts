// Kept connections, in a pool for each origin. A pool gets no request after its time is over, so that a name that moves
// to another address is noticed although its connections are never idle. undici's `clientTtl` does the same, and looks
// at the age of every connection of an origin with each request: 40 µs of processor time for 256 of them.

import { Pool } from "undici";

export class AgingPools {
  readonly #options: Pool.Options;
  readonly #maxAgeMs: number;
  readonly #pools = new Map<string, { pool: Pool; endMs: number }>();
  /** Pools that wait for their last requests. */
  readonly #closing = new Set<Pool>();

  constructor(maxAgeMs: number, options: Pool.Options) {
    this.#maxAgeMs = maxAgeMs;
    // However long a server says that it keeps idle connections.
    this.#options = { ...options, keepAliveMaxTimeout: maxAgeMs };
  }

  /** MUST be used at once: a pool whose time is over is closed at the next question. */
  poolFor(origin: string): Pool {
    const nowMs = performance.now();
    const known = this.#pools.get(origin);
    if (known !== undefined && nowMs < known.endMs) return known.pool;
    if (known !== undefined) this.#close(known.pool);
    const pool = new Pool(origin, this.#options);
    // Pools of many origins that begin together after a start MUST NOT end together: a handshake costs.
    const ageMs = this.#maxAgeMs * (0.75 + Math.random() / 4);
    this.#pools.set(origin, { pool, endMs: nowMs + ageMs });
    return pool;
  }

  /** Closes the pools whose time is over and that no request has replaced. */
  closeOld(): void {
    const nowMs = performance.now();
    for (const [origin, { pool, endMs }] of this.#pools) {
      if (nowMs < endMs) continue;
      this.#pools.delete(origin);
      this.#close(pool);
    }
  }

  /** Waits for the requests under way. */
  async close(): Promise<void> {
    await Promise.all(this.#all().map((pool) => pool.close()));
  }

  /** Ends the requests under way. */
  async destroy(): Promise<void> {
    await Promise.all(this.#all().map((pool) => pool.destroy()));
  }

  /** All pools, which get no request any more. */
  #all(): Pool[] {
    const all = [...this.#closing, ...[...this.#pools.values()].map(({ pool }) => pool)];
    this.#pools.clear();
    return all;
  }

  #close(pool: Pool): void {
    this.#closing.add(pool);
    void pool.close().finally(() => this.#closing.delete(pool));
  }
}
