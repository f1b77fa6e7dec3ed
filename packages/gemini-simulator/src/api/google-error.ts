// Errors as Gemini answers them. WebhookService, batches and operations have Google's form; interactions have a form whose
// code is a string, so that a client can decide by the HTTP status alone.

export type ErrorForm = "google" | "string_code";

/** https://cloud.google.com/apis/design/errors#error_model */
const STATUS_NAMES: Record<number, string> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  409: "ABORTED",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

export interface ApiAnswer {
  status: number;
  headers?: Record<string, string>;
  body: unknown;
}

export class GeminiError extends Error {
  readonly status: number;
  readonly form: ErrorForm;

  constructor(status: number, message: string, form: ErrorForm = "google") {
    super(message);
    this.status = status;
    this.form = form;
  }

  toAnswer(): ApiAnswer {
    return { status: this.status, body: errorBody(this.status, this.message, this.form) };
  }
}

export function errorBody(status: number, message: string, form: ErrorForm): { error: Record<string, unknown> } {
  if (form === "google") return { error: { code: status, message, status: STATUS_NAMES[status] ?? "UNKNOWN" } };
  const code = status === 400 ? "invalid_request" : (STATUS_NAMES[status] ?? "unknown").toLowerCase();
  return { error: { message, code } };
}
