// The user that runs the embedded PostgreSQL, which refuses to run as root. If this process is root, PostgreSQL runs as
// another user. This user gets at most one capability, if it needs one to reach a clone below a closed directory such as
// /root.

import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The user that is made on a machine without the user `postgres`. */
const OWN_USER = "sluice";
// The smallest rights come first. `dac_read_search` is enough to reach a directory, and a clone made under umask 077 needs
// `dac_override`. The bounding set of a container often has only `dac_override`.
const CAPABILITIES = [undefined, "dac_read_search", "dac_override"];

export interface Account {
  /** The words in front of a command that make it run as this user, in the same process. */
  prefix: string[];
  /** The owner of the files; undefined when it is the user of this process. */
  owner: { uid: number; gid: number } | undefined;
}

/**
 * @param binary the path of `postgres`.
 * @param directory the data directory, which need not exist yet. PostgreSQL runs as its owner, unless that is root.
 * @throws Error that names the obstacle and the ways around it.
 */
export async function chooseAccount(binary: string, directory: string): Promise<Account> {
  if (process.getuid?.() !== 0) return { prefix: [], owner: undefined };
  if (process.platform !== "linux") throw new Error(`PostgreSQL does not run as root. ${WAYS_OUT}`);
  const found = existsSync(directory) ? statSync(directory) : undefined;
  const owner =
    found !== undefined && found.uid !== 0 ? found : ((await lookUp("postgres")) ?? (await ensureOwnUser()));
  const { uid, gid } = owner;
  const as = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--no-new-privs"];
  let refusal = "";
  for (const capability of CAPABILITIES) {
    const ambient =
      capability === undefined
        ? []
        : [
            // Ambient capabilities outlive the change of user and the exec; permitted ones do not.
            `--inh-caps=+${capability}`,
            `--ambient-caps=+${capability}`,
            // PostgreSQL looks for its own files by access(2), which otherwise ignores the capabilities of a user.
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
  const closed = [binary, directory]
    .map((path) => findClosedDirectory(path, uid, gid))
    .find((path) => path !== undefined);
  throw new Error(
    `PostgreSQL does not run as root, and as user ${uid} it ` +
      `${closed === undefined ? `does not start (${refusal})` : `cannot enter ${closed}`}. ${WAYS_OUT}`,
  );
}

const WAYS_OUT =
  "Start as a user that is not root, or put the clone and DATA_DIR where other users may enter (such as /srv), " +
  "or set DATABASE_URL to your own PostgreSQL.";

async function ensureOwnUser(): Promise<{ uid: number; gid: number }> {
  const existing = await lookUp(OWN_USER);
  if (existing !== undefined) return existing;
  const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
  const options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"];
  try {
    await run("useradd", [...options, "--shell", "/usr/sbin/nologin", OWN_USER], { env });
  } catch (error) {
    throw new Error(`PostgreSQL does not run as root, and useradd cannot make a user for it. ${WAYS_OUT}`, {
      cause: error,
    });
  }
  const made = await lookUp(OWN_USER);
  if (made === undefined)
    throw new Error(`useradd made the user ${OWN_USER}, but \`id\` does not find it. ${WAYS_OUT}`);
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

/** The outermost directory above a path that the mode bits close to a user; undefined when there is none. */
function findClosedDirectory(path: string, uid: number, gid: number): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : findClosedDirectory(parent, uid, gid);
  if (above !== undefined) return above;
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  const shift = found.uid === uid ? 6 : found.gid === gid ? 3 : 0;
  return (found.mode >> shift) & 1 ? undefined : path;
}
