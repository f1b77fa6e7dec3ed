// The plainest relay that the same packages make: Hono, BullMQ, one INSERT and one POST. What it costs is the least that
// an event can cost with them.

export const BARE_QUEUE = "bare";
export const BARE_TABLE = "CREATE TABLE public.bare_events (id text PRIMARY KEY, body bytea)";
export const BARE_INSERT = "INSERT INTO public.bare_events (id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING";

export interface BareEnvironment {
  redisUrl: string;
  databaseUrl: string;
  targetUrl: string;
}

export const bareEnvironment = (environment: BareEnvironment) => ({ BARE: JSON.stringify(environment) });

export function readBareEnvironment(): BareEnvironment {
  return JSON.parse(process.env["BARE"] ?? "{}") as BareEnvironment;
}
