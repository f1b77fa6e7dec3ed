// How this process reaches PostgreSQL: by one URL, or by a pooler and, for what needs a session, past it. What the
// pooler does is found out once, before the first statement.

import { SluiceError } from "@sluice/shared/runtime/errors";
import type { Secret } from "@sluice/shared/settings/secret";

import { detectPooling, type Pooling, type PreparedStatements } from "./pooling.ts";

export interface PostgresServerOptions {
  url: string;
  /** The URL for what needs a session: migrations, and consumers, which LISTEN. By default `url`. */
  directUrl?: string | undefined;
  preparedStatements?: PreparedStatements;
}

/** The server of the settings. */
export function readPostgresServer(settings: {
  DATABASE_URL: Secret<string>;
  DATABASE_DIRECT_URL?: Secret<string> | undefined;
  DATABASE_PREPARED_STATEMENTS: PreparedStatements;
}): PostgresServer {
  return new PostgresServer({
    url: settings.DATABASE_URL.reveal(),
    directUrl: settings.DATABASE_DIRECT_URL?.reveal(),
    preparedStatements: settings.DATABASE_PREPARED_STATEMENTS,
  });
}

export class PostgresServer {
  readonly url: string;
  readonly directUrl: string;
  readonly #preparedStatements: PreparedStatements;
  #pooling: Pooling | undefined;
  #detecting: Promise<Pooling> | undefined;

  constructor({ url, directUrl = url, preparedStatements = "auto" }: PostgresServerOptions) {
    this.url = url;
    this.directUrl = directUrl;
    this.#preparedStatements = preparedStatements;
  }

  /** What is between this process and PostgreSQL by `url`; undefined until {@link findPooling} has found it out. */
  get pooling(): Pooling | undefined {
    return this.#pooling;
  }

  /** @throws Error when PostgreSQL is away; the next call asks again. */
  async findPooling(): Promise<Pooling> {
    if (this.#pooling !== undefined) return this.#pooling;
    this.#detecting ??= detectPooling(this.url, this.#preparedStatements).finally(() => {
      this.#detecting = undefined;
    });
    this.#pooling = await this.#detecting;
    return this.#pooling;
  }

  /**
   * Makes sure that there are sessions for what needs one.
   * @throws SluiceError `invalid_configuration` when every URL leads to a transaction pooler.
   */
  async requireSessions(): Promise<void> {
    const { kind } = await this.findPooling();
    if (kind === "session" && this.directUrl === this.url) return;
    const direct = this.directUrl === this.url ? kind : (await detectPooling(this.directUrl)).kind;
    if (direct === "session") return;
    throw new SluiceError(
      "invalid_configuration",
      this.directUrl === this.url
        ? "DATABASE_URL leads to a transaction pooler: set DATABASE_DIRECT_URL to the address of PostgreSQL itself, " +
            "which migrations and consumers need, or let the pooler pool sessions"
        : "DATABASE_DIRECT_URL leads to a transaction pooler: it must be the address of PostgreSQL itself, or of a " +
            "pooler of sessions",
    );
  }
}
