// The only error class of Sluice, and the catalogue of its codes. A code is stable and has one HTTP status.
// docs/errors.md lists every code, and a test compares the two lists.

/** Each code with the status of its HTTP answer and the title of its problem document. */
export const ERROR_CODES = {
  invalid_request: { status: 400, title: "The request is not valid" },
  invalid_id: { status: 400, title: "An id is malformed" },
  invalid_cursor: { status: 400, title: "The cursor does not belong to this list" },
  verification_failed: { status: 400, title: "The webhook could not be verified" },
  body_interrupted: { status: 400, title: "The body ended before it was complete" },
  ping_failed: { status: 400, title: "The ping did not succeed" },
  unauthenticated: { status: 401, title: "An API key is needed" },
  forbidden: { status: 403, title: "The API key lacks a scope" },
  host_not_allowed: { status: 403, title: "The console is not reached by this host name" },
  cross_origin: { status: 403, title: "The request comes from a page of another site" },
  not_found: { status: 404, title: "There is no such resource" },
  unknown_source: { status: 404, title: "There is no such source" },
  method_not_allowed: { status: 405, title: "The method is not allowed here" },
  request_timeout: { status: 408, title: "The request took too long to arrive" },
  name_taken: { status: 409, title: "The name is in use" },
  wrong_kind: { status: 409, title: "A source or a target of this kind does not have that" },
  limit_reached: { status: 409, title: "The maximum number is reached" },
  protected_source: { status: 409, title: "The source is built in" },
  secret_lost: { status: 409, title: "A secret of the target was lost with the master key" },
  target_disabled: { status: 409, title: "The target is disabled" },
  target_gone: { status: 409, title: "The delivery's target no longer exists" },
  delivery_in_flight: { status: 409, title: "The delivery is being attempted right now" },
  delivery_finished: { status: 409, title: "The delivery is finished" },
  gemini_key_missing: { status: 409, title: "The source has no key of the Gemini API" },
  operation_finished: { status: 409, title: "The operation is finished" },
  upstream_not_configured: { status: 409, title: "The source cannot manage its webhook at Gemini" },
  upstream_busy: { status: 409, title: "The webhook at Gemini is being worked on" },
  database_in_use: { status: 409, title: "Processes use the database" },
  database_not_empty: { status: 409, title: "The database holds a relay" },
  managed_by_file: { status: 409, title: "A file of settings manages the resource" },
  last_admin_key: { status: 409, title: "This is the last key that can manage keys" },
  idempotency_in_progress: { status: 409, title: "The same request is under way" },
  idempotency_answer_lost: { status: 409, title: "The request took effect, and its answer was lost" },
  body_removed: { status: 410, title: "The body of the event was removed" },
  precondition_failed: { status: 412, title: "The resource is not as the condition wants it" },
  payload_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: { status: 415, title: "The body must be JSON" },
  idempotency_key_reused: { status: 422, title: "The Idempotency-Key was used for another request" },
  rate_limited: { status: 429, title: "Too many tries" },
  headers_too_large: { status: 431, title: "The headers are too large" },
  internal: { status: 500, title: "The relay failed" },
  gemini_failed: { status: 502, title: "Gemini could not be asked" },
  gemini_refused: { status: 502, title: "Gemini refused" },
  unavailable: { status: 503, title: "The relay cannot take this now" },
  // These end a process at its start, before any port is open.
  invalid_configuration: { status: 500, title: "The configuration is not valid" },
  invalid_secret: { status: 500, title: "A secret is not valid" },
  master_key_mismatch: { status: 500, title: "The database was made with another MASTER_KEY" },
  migration_pending: { status: 500, title: "The role may not run the migrations that are pending" },
  relay_changed: { status: 500, title: "The database holds another relay" },
  invalid_backup: { status: 500, title: "The backup cannot be restored" },
  schema_newer: { status: 500, title: "The database was migrated by a newer version" },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One mistake in an input. */
export interface Fault {
  /** A JSON pointer, or the name of a parameter, header or setting. */
  pointer: string;
  /** What is wrong, as the rest of a sentence that begins with the pointer: "must be at least 1". */
  detail: string;
}

export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly faults: Fault[];
  /** The value of the `Retry-After` header. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { faults?: Fault[]; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    // Both may quote a part of an input. Half a character of it would make JSON that many parsers refuse.
    super(message.toWellFormed(), { cause: options.cause });
    this.name = "SluiceError";
    this.code = code;
    this.faults = (options.faults ?? []).map(({ pointer, detail }) => ({
      pointer: pointer.toWellFormed(),
      detail: detail.toWellFormed(),
    }));
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get status(): (typeof ERROR_CODES)[ErrorCode]["status"] {
    return ERROR_CODES[this.code].status;
  }
}
