// Who runs the embedded PostgreSQL, which refuses to be root. Not root: ourselves. Root: another user, with
// the one capability (if any) that it needs to reach a clone below a closed directory such as /root.

import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The user made where there is no `postgres`. */
const OWN_USER = "sluice";
// Least first: reaching a directory needs the first, a clone made under umask 077 the second. A container's
// bounding set often has only the second.
const CAPABILITIES = [undefined, "dac_read_search", "dac_override"];

export interface Account {
  /** What stands before a command so that it runs as this user, in the same process. */
  prefix: string[];
  /** Owner of the files; undefined when it is ourselves. */
  owner: { uid: number; gid: number } | undefined;
}

/**
 * @param binary the `postgres` to run.
 * @param directory where its data directory stands or will stand; its owner, unless root, is the user to be.
 * @throws Error that says what is in the way and what to do about it.
 */
export async function chooseAccount(binary: string, directory: string): Promise<Account> {
  if (process.getuid?.() !== 0) return { prefix: [], owner: undefined };
  if (process.platform !== "linux") throw new Error(`PostgreSQL does not run as root. ${WAYS_OUT}`);
  const found = existsSync(directory) ? statSync(directory) : undefined;
  const owner = found !== undefined && found.uid !== 0 ? found : ((await lookUp("postgres")) ?? (await ownUser()));
  const { uid, gid } = owner;
  const as = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--no-new-privs"];
  let refusal = "";
  for (const capability of CAPABILITIES) {
    const ambient =
      capability === undefined
        ? []
        : [
            // Ambient: unlike permitted capabilities, these outlive the change of user and the exec.
            `--inh-caps=+${capability}`,
            `--ambient-caps=+${capability}`,
            // access(2), by which PostgreSQL looks for its own files, otherwise ignores a user's capabilities.
            "--securebits=+no_setuid_fixup",
          ];
    const prefix = [...as, ...ambient, "--"];
    try {
      await run(
        "setpriv",
        [...prefix.slice(1), "sh", "-c", `"$0" --version && test -x "$1"`, binary, dirname(directory)],
        {
          cwd: "/",
        },
      );
      return { prefix, owner: { uid, gid } };
    } catch (error) {
      refusal = error instanceof Error ? error.message.split("\n").slice(1).join(" ").trim() : String(error);
    }
  }
  const closed = [binary, directory].map((path) => closedDirectory(path, uid, gid)).find((path) => path !== undefined);
  throw new Error(
    `PostgreSQL does not run as root, and as user ${uid} it ` +
      `${closed === undefined ? `does not start (${refusal})` : `cannot enter ${closed}`}. ${WAYS_OUT}`,
  );
}

const WAYS_OUT =
  "Start as a user that is not root, or put the clone and DATA_DIR where other users may enter (such as /srv), " +
  "or set DATABASE_URL to a PostgreSQL that runs already.";

async function ownUser(): Promise<{ uid: number; gid: number }> {
  const existing = await lookUp(OWN_USER);
  if (existing !== undefined) return existing;
  const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
  const options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"];
  try {
    await run("useradd", [...options, "--shell", "/usr/sbin/nologin", OWN_USER], { env });
  } catch (error) {
    throw new Error(`PostgreSQL does not run as root, and a user for it cannot be made. ${WAYS_OUT}`, { cause: error });
  }
  const made = await lookUp(OWN_USER);
  if (made === undefined) throw new Error(`The user ${OWN_USER} was made but is not found. ${WAYS_OUT}`);
  return made;
}

async function lookUp(name: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all(["-u", "-g"].map(async (flag) => (await run("id", [flag, name])).stdout));
    return { uid: Number(uid), gid: Number(gid) };
  } catch {
    return undefined;
  }
}

/** The outermost directory above a path that a user may not enter, by its mode bits. */
function closedDirectory(path: string, uid: number, gid: number): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : closedDirectory(parent, uid, gid);
  if (above !== undefined) return above;
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  const shift = found.uid === uid ? 6 : found.gid === gid ? 3 : 0;
  return (found.mode >> shift) & 1 ? undefined : path;
}
