// A run of every command of `sluice` that calls the API, in an order in which each finds what it needs.

/** What the commands work on. A command that makes something adds its id. */
export interface SluiceWorld {
  event: string;
  delivery: string;
  attempt: string;
  /** A dynamic source, and a static one with a key of Gemini. */
  dynamic: string;
  managed: string;
  setAside: readonly string[];
  operation: string;
  auditEntry: string;
  rejection: string;
  job: string;
  token: string;
}

export interface SluiceCase {
  /** The words of the command. */
  command: string;
  /** The rest of a command line that works. */
  args?: (world: SluiceWorld) => string[];
  /** What stdout has for people. */
  shows: RegExp;
  /** What `--json` prints. */
  json: "rows" | "record" | "nothing" | "bytes";
  /** Arguments for the run with `--json`, where the same cannot be done twice. */
  again?: (world: SluiceWorld) => string[];
  /** A mistake in the usage, beside an unknown option; without the words of the command. */
  mistake?: string[];
  /** Arguments with an id that nothing has. */
  missing?: string[];
  /** Keeps an id for what comes after. */
  keep?: (answer: Record<string, string>, world: SluiceWorld) => void;
  /** The exit code, when the arguments are refused by the relay. */
  code?: number;
  /** It cannot be done twice, and has nothing to show as JSON. */
  isOnce?: boolean;
}

const ID = "01h455vb4pex5vsknk084sn02q";
const NEW_TARGET = ["--uri", "https://billing.internal/", "--subscribed-events", "batch.*,video.generated"];

export const SLUICE_CASES: readonly SluiceCase[] = [
  { command: "whoami", shows: /^name +ADMIN_API_KEY$/m, json: "record", mistake: ["extra"] },

  // The relay has set events aside.
  { command: "status", shows: /^status +ready$[^]*^set aside +4 events/m, json: "record", mistake: ["--every", "0"] },
  { command: "events list", shows: /^ID +RECEIVED.*\nevt_/, json: "rows", mistake: ["--limit", "0"] },
  {
    command: "events get",
    args: ({ event }) => [event],
    shows: /^deliveries\n {2}ID/m,
    json: "record",
    missing: [`evt_${ID}`],
  },
  { command: "events body", args: ({ event }) => [event], shows: /^\{"type":/, json: "bytes", missing: [`evt_${ID}`] },
  {
    command: "events replay",
    args: ({ event }) => [event, "--targets", "first"],
    again: () => ["--source", "gemini", "--targets", "first", "--dry-run"],
    shows: /retried/,
    json: "record",
    mistake: [`evt_${ID}`, "--since", "1h"],
    missing: [`evt_${ID}`],
  },
  {
    command: "deliveries list",
    args: () => ["--target", "first"],
    shows: /succeeded +first/,
    json: "rows",
    mistake: ["--status", "lost"],
  },
  {
    command: "deliveries get",
    args: ({ delivery }) => [delivery],
    shows: /^target +first \(tgt_\w+\)$/m,
    json: "record",
    missing: [`dlv_${ID}`],
  },
  {
    command: "deliveries retry",
    args: ({ delivery }) => [delivery],
    again: () => ["--target", "first", "--status", "succeeded", "--yes"],
    shows: /^status +pending$/m,
    json: "record",
    mistake: ["--status", "succeeded"],
    missing: [`dlv_${ID}`],
  },
  {
    command: "deliveries cancel",
    args: () => ["--target", "first", "--dry-run"],
    shows: /^total +\d+$/m,
    json: "record",
    mistake: ["--min-attempts", "many"],
    missing: [`dlv_${ID}`],
  },
  {
    command: "attempts list",
    args: () => ["--status-code", "2xx"],
    shows: /^att_.* first +1 +200/m,
    json: "rows",
    mistake: ["--trigger", "x"],
  },
  {
    command: "attempts get",
    args: ({ attempt }) => [attempt],
    shows: /^status_code +200$/m,
    json: "record",
    missing: [`att_${ID}`],
  },
  {
    command: "rejections list",
    shows: /signature_mismatch/,
    json: "rows",
    keep: ({ id = "" }, world) => (world.rejection = id),
    mistake: ["--since", "yesterday"],
  },
  {
    command: "rejections get",
    args: ({ rejection }) => [rejection],
    shows: /^source +gemini \(src_\w+\)$/m,
    json: "record",
    missing: [`rej_${ID}`],
  },
  {
    command: "stats list",
    args: () => ["--group-by", "target"],
    shows: /^data\n {2}START.*\n.* first /m,
    json: "record",
    mistake: ["--interval", "year"],
  },
  {
    command: "stats waiting",
    args: () => ["--interval", "minute", "--targets", "5", "--target", "first"],
    shows: /^since +20/m,
    json: "record",
    mistake: ["--targets", "first"],
  },
  {
    command: "stats rejections",
    args: () => ["--since", "1h"],
    shows: /^ {2}gemini +signature_mismatch +\d+ /m,
    json: "record",
    mistake: ["--reason", "x"],
  },
  { command: "system settings", shows: /^ADMIN_API_KEY +set +\[secret\]$/m, json: "rows", mistake: ["extra"] },
  { command: "operations list", shows: /retry_deliveries/, json: "rows", mistake: ["--state", "x"] },
  {
    command: "operations get",
    args: ({ operation }) => [operation],
    shows: /^state +succeeded$/m,
    json: "record",
    missing: [`opr_${ID}`],
  },
  // It has ended, which is a conflict.
  {
    command: "operations cancel",
    args: ({ operation }) => [operation],
    shows: /^$/,
    json: "nothing",
    code: 5,
    missing: [`opr_${ID}`],
  },

  { command: "set-aside list", shows: /^ID +FAILED/, json: "rows", mistake: ["--limit", "x"] },
  {
    command: "set-aside get",
    args: ({ setAside }) => [setAside[0] ?? ""],
    shows: /^error +/m,
    json: "record",
    missing: ["nothing"],
  },
  {
    command: "set-aside discard",
    args: ({ setAside }) => [setAside[2] ?? "", "--yes"],
    again: ({ setAside }) => [setAside[3] ?? "", "--yes"],
    shows: /^id +/m,
    json: "record",
    mistake: ["something"],
    missing: ["nothing", "--yes"],
  },
  {
    command: "set-aside retry",
    args: ({ setAside }) => [setAside[0] ?? ""],
    shows: /^id +/m,
    json: "record",
    again: ({ setAside }) => [setAside[1] ?? ""],
    missing: ["nothing"],
  },
  { command: "set-aside retry-all", shows: /^count +\d+$/m, json: "record", mistake: ["extra"] },

  {
    command: "targets create",
    args: () => ["--name", "by-table", ...NEW_TARGET],
    again: () => ["--name", "by-json", ...NEW_TARGET],
    shows: /^new_signing_secret +whsec_/m,
    json: "record",
    mistake: ["--data", "[]"],
  },
  { command: "targets list", shows: /^by-table +enabled +closed/m, json: "rows", mistake: ["--name"] },
  {
    command: "targets get",
    args: () => ["by-table"],
    shows: /^subscribed_events +batch\.\*,video\.generated$/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "targets update",
    args: () => [
      "by-table",
      "--rate-limit-requests",
      "5",
      "--rate-limit-per-seconds",
      "1",
      "--headers",
      "x-team=billing",
    ],
    again: () => ["by-table", "--no-rate-limit", "--filter", "null", "--retry-base-seconds", "7"],
    shows: /^rate_limit\.requests +5$/m,
    json: "record",
    mistake: ["by-table", "--timeout-seconds", "soon"],
    missing: ["nobody", "--timeout-seconds", "5"],
  },
  {
    command: "targets test",
    args: () => ["first"],
    shows: /^attempt\.status_code +200$/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "targets try-filter",
    args: () => ["--filter", 'source == "gemini"', "--subscribed-events", "*"],
    shows: /^data\n {2}EVENT +RECEIVED [^]*\n {2}evt_\w+ .* gemini +matched /m,
    json: "record",
    mistake: ["--filter", "source =="],
  },
  {
    command: "targets pause",
    args: () => ["by-table"],
    shows: /^state +paused$/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "targets resume",
    args: () => ["by-table"],
    shows: /^state +enabled$/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "targets disable",
    args: () => ["by-table"],
    shows: /^state +disabled$/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "targets enable",
    args: () => ["by-table"],
    shows: /^state +enabled$/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "targets rotate",
    args: () => ["by-table", "--previous", "revoke_immediately"],
    shows: /^new_signing_secret +whsec_/m,
    json: "record",
    mistake: ["by-table", "--previous", "keep"],
    missing: ["nobody"],
  },
  {
    command: "targets delete",
    args: () => ["by-table", "--yes"],
    again: () => ["by-json", "--yes"],
    shows: /^$/,
    json: "nothing",
    mistake: ["first"],
    missing: ["nobody", "--yes"],
  },

  {
    command: "sources create",
    args: () => ["--name", "by-table"],
    again: () => ["--data", '{"name": "by-json"}'],
    shows: /^new_signing_secret +whsec_/m,
    json: "record",
    mistake: ["--kind", "other"],
  },
  { command: "sources list", shows: /^by-table +static/m, json: "rows", mistake: ["--limit", "1.5"] },
  { command: "sources get", args: () => ["by-table"], shows: /^kind +static$/m, json: "record", missing: ["nobody"] },
  {
    command: "sources update",
    args: () => ["by-table", "--tolerance-seconds", "60"],
    shows: /^tolerance_seconds +60$/m,
    json: "record",
    missing: ["nobody", "--tolerance-seconds", "60"],
  },
  {
    command: "sources rotate",
    args: () => ["by-table", "--previous", "revoke_after_24h"],
    shows: /^new_signing_secret +whsec_/m,
    json: "record",
    missing: ["nobody", "--previous", "revoke_after_24h"],
  },
  {
    command: "sources callback-url",
    args: ({ dynamic }) => [dynamic, "--labels", "team=billing", "--single-use"],
    shows: /^labels\.team +billing$/m,
    json: "record",
    mistake: ["any", "--labels", "billing"],
    missing: ["nobody", "--labels", "a=b"],
  },
  {
    command: "sources token create",
    args: ({ dynamic }) => [dynamic],
    shows: /^token +\S+$/m,
    json: "record",
    keep: (answer, world) => (world.token = answer["id"] ?? ""),
    missing: ["nobody"],
  },
  {
    command: "sources token revoke",
    args: ({ dynamic, token }) => [dynamic, token, "--yes"],
    shows: /^$/,
    json: "nothing",
    isOnce: true,
    mistake: ["any", "any"],
    missing: ["nobody", `itk_${ID}`, "--yes"],
  },

  {
    command: "upstream register",
    args: ({ managed }) => [managed],
    shows: /^steps\n {2}STEP/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "upstream get",
    args: ({ managed }) => [managed],
    shows: /^state +enabled$/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "upstream update",
    args: ({ managed }) => [managed, "--heal", "auto"],
    shows: /^heal +auto$/m,
    json: "record",
    mistake: ["any", "--heal", "sometimes"],
    missing: ["nobody", "--heal", "auto"],
  },
  {
    command: "upstream check",
    args: ({ managed }) => [managed],
    shows: /^steps\n|^upstream\./m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "upstream rotate",
    args: ({ managed }) => [managed],
    shows: /^steps\n/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "upstream heal",
    args: ({ managed }) => [managed],
    shows: /^upstream\.state +enabled$/m,
    json: "record",
    missing: ["nobody"],
  },
  {
    command: "jobs create",
    args: ({ managed }) => ["--kind", "batch", "--name", "batches/one", "--source", managed],
    again: ({ managed }) => ["--kind", "batch", "--name", "batches/two", "--source", managed],
    shows: /^status +waiting$/m,
    json: "record",
    keep: ({ id = "" }, world) => (world.job = id),
    mistake: ["--expect-within-seconds", "x"],
  },
  { command: "jobs list", shows: /^job_\w+ +batch +\w+ +batches\/two/m, json: "rows", mistake: ["--status", "x"] },
  {
    command: "jobs get",
    args: ({ job }) => [job],
    shows: /^name +batches\/two$/m,
    json: "record",
    missing: [`job_${ID}`],
  },
  {
    command: "jobs update",
    args: ({ job }) => [job, "--name", "batches/two"],
    shows: /^name +batches\/two$/m,
    json: "record",
    missing: [`job_${ID}`, "--name", "batches/x"],
  },
  {
    command: "upstream deregister",
    args: ({ managed }) => [managed, "--yes"],
    shows: /^$/,
    json: "nothing",
    isOnce: true,
    mistake: ["any"],
    missing: ["nobody", "--yes"],
  },
  {
    command: "sources delete",
    args: () => ["by-table", "--yes"],
    again: () => ["by-json", "--yes"],
    shows: /^$/,
    json: "nothing",
    mistake: ["gemini"],
    missing: ["nobody", "--yes"],
  },

  {
    command: "keys create",
    args: () => ["--name", "by-table", "--scopes", "read,write"],
    again: () => ["--name", "by-json", "--scopes", "read", "--expires-at", "7d"],
    shows: /^key +sluice_/m,
    json: "record",
    mistake: ["--scopes", "all"],
  },
  { command: "keys list", shows: /^by-table +active +read,write/m, json: "rows", mistake: ["--all=x"] },
  { command: "keys get", args: () => ["by-table"], shows: /^state +active$/m, json: "record", missing: ["nobody"] },
  {
    command: "keys revoke",
    args: () => ["by-table", "--yes"],
    shows: /^state +revoked$/m,
    json: "record",
    again: () => ["by-json", "--yes"],
    mistake: ["by-json"],
    missing: ["nobody", "--yes"],
  },
  {
    command: "audit list",
    args: () => ["--action", "key.*"],
    shows: /ADMIN_API_KEY +key\.created/,
    json: "rows",
    keep: ({ id = "" }, world) => (world.auditEntry = id),
    mistake: ["--order", "x"],
  },
  {
    command: "audit get",
    args: ({ auditEntry }) => [auditEntry],
    shows: /^after\n {2}\{/m,
    json: "record",
    missing: [`aud_${ID}`],
  },
  {
    command: "events erase",
    args: ({ event }) => [event, "--yes"],
    shows: /^body_removed_at +20/m,
    json: "record",
    mistake: [`evt_${ID}`],
    missing: [`evt_${ID}`, "--yes"],
  },
];
