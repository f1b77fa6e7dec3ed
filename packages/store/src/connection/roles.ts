// The two roles of a relay: the owner migrates, and the app role of the gateways and workers only reads and writes rows.
// A superuser makes them, and hands over what it owned before them. Every step can be repeated at any time.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";

import pg from "pg";

import { SluiceError } from "@sluice/shared/runtime/errors";

import { migrate, type MigrateOptions } from "./migrate.ts";
import { hasSqlState } from "./postgres-errors.ts";

/** URLs of one database. None of them leads to a transaction pooler. */
export interface RoleUrls {
  /** A superuser, which may be the owner of everything so far. */
  admin: string;
  /** The role that migrates. It is made with the password of its URL. */
  owner: string;
  /** The role of gateways and workers. It is made with the password of its URL. */
  app: string;
}

interface RoleLogin {
  role: string;
  password: string;
}

/** "slro" in ASCII. */
const LOCK_KEY = 0x736c_726f;
const RELAY_SCHEMAS = ["public", "bullmq", "drizzle"];
/** As in migrate.ts: statements of a running relay MUST NOT wait behind this one for long. */
const LOCK_TIMEOUT_MS = 1_000;
/** A worker of an older version may make a partition between two passes, and hardly one more. */
const MAX_PASSES = 5;
const UNDEFINED_TABLE = "42P01";
/** The default of PostgreSQL (`scram_iterations`). The passwords are random, so that more would protect nothing more. */
const SCRAM_ITERATIONS = 4_096;
const VERIFIER = /^SCRAM-SHA-256\$([0-9]+):([^$]+)\$/;

/**
 * Brings roles and schema of a database to what this version needs.
 * @param options as those of {@link migrate}.
 * @returns what {@link migrate} does.
 * @throws SluiceError `invalid_configuration` when the URLs do not name three roles with passwords, or when one of the
 *   two roles is a superuser.
 */
export async function migrateWithRoles(
  urls: RoleUrls,
  options: Omit<MigrateOptions, "signal"> = {},
): Promise<"migrated" | "newer"> {
  const [owner, app] = [readRoleLogin(urls.owner), readRoleLogin(urls.app)];
  if (new Set([readRoleLogin(urls.admin).role, owner.role, app.role]).size < 3) {
    throw new SluiceError(
      "invalid_configuration",
      "DATABASE_ADMIN_URL, DATABASE_URL and DATABASE_APP_URL must name three different roles",
    );
  }
  await withConnection(urls.admin, async (admin) => {
    // Several processes may do this at once. The connection's end frees the lock.
    await admin.query("SELECT pg_advisory_lock($1)", [LOCK_KEY]);
    await ensureRole(admin, owner);
    await ensureRole(admin, app);
    for (const statement of await databaseGrants(admin, owner.role, app.role)) await admin.query(statement);
    await handOverObjects(admin, owner.role);
  });
  const state = await migrate(urls.owner, options);
  await withConnection(urls.owner, (client) => grantRows(client, owner.role, app.role));
  return state;
}

/** What the app role needs on the tables and functions, now and later. docs/postgres.md has the same statements. */
export function rowGrants(owner: string, app: string): string[] {
  const [ownerName, appName] = [pg.escapeIdentifier(owner), pg.escapeIdentifier(app)];
  const later = `ALTER DEFAULT PRIVILEGES FOR ROLE ${ownerName} IN SCHEMA public, bullmq`;
  return [
    `GRANT USAGE ON SCHEMA public, bullmq, drizzle TO ${appName}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA drizzle TO ${appName}`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, bullmq TO ${appName}`,
    `GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public, bullmq TO ${appName}`,
    `GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public, bullmq TO ${appName}`,
    `${later} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${appName}`,
    `${later} GRANT USAGE, SELECT ON SEQUENCES TO ${appName}`,
    `${later} GRANT EXECUTE ON FUNCTIONS TO ${appName}`,
  ];
}

function readRoleLogin(url: string): RoleLogin {
  const { username, password } = new URL(url);
  const login = { role: decodeURIComponent(username), password: decodeURIComponent(password) };
  // PostgreSQL normalises other characters (SASLprep, RFC 4013) before it hashes a password; these it leaves alone.
  if (login.role === "" || !/^[\x21-\x7e]+$/.test(login.password)) {
    throw new SluiceError(
      "invalid_configuration",
      "DATABASE_ADMIN_URL, DATABASE_URL and DATABASE_APP_URL must each have a user, and a password of printable ASCII " +
        "characters without spaces",
    );
  }
  return login;
}

async function withConnection(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "sluice-migrate",
    connectionTimeoutMillis: 5_000,
  });
  // Without a listener, a lost connection would end the process. The statement that ran on it fails and says why.
  client.on("error", () => undefined);
  await client.connect();
  try {
    // With an empty search path, PostgreSQL shows every name with its schema.
    await client.query(`SET search_path = ''; SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await work(client);
  } finally {
    await client.end();
  }
}

async function ensureRole(admin: pg.Client, { role, password }: RoleLogin): Promise<void> {
  const name = pg.escapeIdentifier(role);
  const find = () =>
    admin.query<{ rolsuper: boolean; rolpassword: string | null }>(
      "SELECT rolsuper, rolpassword FROM pg_authid WHERE rolname = $1",
      [role],
    );
  let { rows } = await find();
  if (rows.length === 0) {
    await admin.query(`CREATE ROLE ${name} LOGIN`);
    ({ rows } = await find());
  }
  if (rows[0]?.rolsuper === true) {
    throw new SluiceError(
      "invalid_configuration",
      `The role ${role} is a superuser, and must not be one: name another role in DATABASE_URL or DATABASE_APP_URL`,
    );
  }
  await admin.query(`ALTER ROLE ${name} LOGIN NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`);
  const [, iterations, salt] = VERIFIER.exec(rows[0]?.rolpassword ?? "") ?? [];
  const isSame =
    salt !== undefined &&
    toVerifier(password, Buffer.from(salt, "base64"), Number(iterations)) === rows[0]?.rolpassword;
  if (isSame) return;
  // The verifier in place of the password, because PostgreSQL logs the text of a statement that fails.
  const verifier = toVerifier(password, randomBytes(16), SCRAM_ITERATIONS);
  await admin.query(`ALTER ROLE ${name} PASSWORD ${pg.escapeLiteral(verifier)}`);
}

/** What PostgreSQL stores for a password: RFC 5802, section 3, in the form of `pg_authid.rolpassword`. */
function toVerifier(password: string, salt: Buffer, iterations: number): string {
  const saltedPassword = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const keyFor = (purpose: string) => createHmac("sha256", saltedPassword).update(purpose).digest();
  const storedKey = createHash("sha256").update(keyFor("Client Key")).digest("base64");
  const serverKey = keyFor("Server Key").toString("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}

async function databaseGrants(admin: pg.Client, owner: string, app: string): Promise<string[]> {
  const { rows } = await admin.query<{ name: string }>("SELECT current_database() AS name");
  const database = pg.escapeIdentifier(rows[0]?.name ?? "");
  const [ownerName, appName] = [pg.escapeIdentifier(owner), pg.escapeIdentifier(app)];
  return [
    `GRANT CREATE, CONNECT, TEMPORARY ON DATABASE ${database} TO ${ownerName}`,
    `GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO ${appName}`,
    `GRANT USAGE, CREATE ON SCHEMA public TO ${ownerName}`,
    // A cluster that was made before PostgreSQL 15 lets everybody make tables here.
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
  ];
}

// Functions come last: until then they run with the rights of the superuser, who may change the tables of both owners.
// The owner of a table passes to its indexes and to the sequences of its columns.
const LIST_OWN_OBJECTS = `
WITH relay_schemas AS (SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname = ANY($1)),
  me AS (SELECT oid FROM pg_roles WHERE rolname = current_user)
SELECT object FROM (
  SELECT 1 AS rank, format('SCHEMA %I', nspname) AS object, nspowner AS owner, 'pg_namespace'::regclass AS class, oid
  FROM relay_schemas WHERE nspname <> 'public'
  UNION ALL
  SELECT 2, format(CASE relkind WHEN 'S' THEN 'SEQUENCE %s' ELSE 'TABLE %s' END, oid::regclass), relowner,
    'pg_class'::regclass, oid
  FROM pg_class c WHERE relnamespace IN (SELECT oid FROM relay_schemas) AND relkind IN ('r', 'p', 'v', 'm', 'S')
    AND NOT (relkind = 'S' AND EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
      AND deptype IN ('a', 'i')))
  UNION ALL
  SELECT 2, format('TYPE %s', oid::regtype), typowner, 'pg_type'::regclass, oid
  FROM pg_type t WHERE typnamespace IN (SELECT oid FROM relay_schemas) AND (typtype IN ('e', 'd', 'r')
    OR typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE pg_class.oid = t.typrelid AND relkind = 'c'))
  UNION ALL
  SELECT 3, format('ROUTINE %s', oid::regprocedure), proowner, 'pg_proc'::regclass, oid
  FROM pg_proc WHERE pronamespace IN (SELECT oid FROM relay_schemas)
) AS found
WHERE owner = (SELECT oid FROM me)
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = class AND objid = found.oid AND deptype = 'e')
ORDER BY rank, object`;

/**
 * Gives the owner what the superuser owns of the relay. One statement for each object, because `REASSIGN OWNED` refuses
 * for the superuser that made the cluster, and one transaction for each, because together they may need more locks than
 * a server has. A relay of an older version may run meanwhile.
 */
async function handOverObjects(admin: pg.Client, owner: string): Promise<void> {
  const ownerName = pg.escapeIdentifier(owner);
  let objects: string[] = [];
  for (let pass = 1; pass <= MAX_PASSES; pass++) {
    const { rows } = await admin.query<{ object: string }>(LIST_OWN_OBJECTS, [RELAY_SCHEMAS]);
    objects = rows.map(({ object }) => object);
    if (objects.length === 0) return;
    for (const object of objects) {
      await admin.query(`ALTER ${object} OWNER TO ${ownerName}`).catch((error: unknown) => {
        // A worker of an older version has dropped the partition of an old day since.
        if (!hasSqlState(error, UNDEFINED_TABLE)) throw error;
      });
    }
  }
  throw new Error(`The superuser still owns ${objects.slice(0, 5).join(", ")} after ${MAX_PASSES} tries`);
}

const LACKS_GRANTS = `
SELECT EXISTS (
  SELECT FROM unnest(ARRAY['public', 'bullmq', 'drizzle']) AS name WHERE NOT has_schema_privilege($1::name, name, 'USAGE')
  UNION ALL
  SELECT FROM pg_class, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
  WHERE relkind IN ('r', 'p', 'v') AND relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace)
    AND NOT has_table_privilege($1::name, oid, privilege)
  UNION ALL
  SELECT FROM pg_class WHERE relkind = 'r' AND relnamespace = 'drizzle'::regnamespace
    AND NOT has_table_privilege($1::name, oid, 'SELECT')
  UNION ALL
  SELECT FROM pg_class, unnest(ARRAY['USAGE', 'SELECT']) AS privilege
  WHERE relkind = 'S' AND relnamespace IN ('public'::regnamespace, 'bullmq'::regnamespace)
    AND NOT has_sequence_privilege($1::name, oid, privilege)
  UNION ALL
  SELECT FROM pg_proc WHERE pronamespace IN ('public'::regnamespace, 'bullmq'::regnamespace)
    AND NOT has_function_privilege($1::name, oid, 'EXECUTE')
) AS lacks`;

/** Only where something is missing: a grant on all tables collides with a worker that attaches a partition. */
async function grantRows(client: pg.Client, owner: string, app: string): Promise<void> {
  const { rows } = await client.query<{ lacks: boolean }>(LACKS_GRANTS, [app]);
  if (rows[0]?.lacks !== true) return;
  // One transaction, because the default privileges are granted exactly when the others are.
  await client.query(["BEGIN", ...rowGrants(owner, app), "COMMIT"].join("; "));
}
