// What the console shows and does, as a command of curl. The key is never in it: `$KEY` stands for it. Neither is a secret that
// a person typed, because a command ends up in the history of a shell and in chats.

/** A call of the API that changes something. */
export interface ChangeCall {
  method: "POST" | "PATCH" | "DELETE";
  path: string;
  body?: unknown;
  /** Fields of the body that hold a secret, beside those that always do. */
  secretFields?: readonly string[];
}

const SECRET_FIELDS = ["secret", "signing_secret", "gemini_api_key", "client_key"];
const STAND_IN = "REPLACE_ME";

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** @param path with its query. */
export const readAsCurl = (path: string): string =>
  // Otherwise curl keeps back what the stream sends.
  curlOf(path.startsWith("/v1/tail") ? ["-N"] : [], path);

export function callAsCurl({ method, path, body, secretFields = [] }: ChangeCall): string {
  const command = curlOf(["-X", method], path);
  if (body === undefined) return command;
  return `${command} -H 'Content-Type: application/json' -d ${quoted(JSON.stringify(withoutSecrets(body, [...SECRET_FIELDS, ...secretFields])))}`;
}

const curlOf = (options: readonly string[], path: string): string =>
  ["curl", "-sS", ...options, quoted(location.origin + path), "-H", '"Authorization: Bearer $KEY"'].join(" ");

function withoutSecrets(value: unknown, secrets: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((one) => withoutSecrets(one, secrets));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      if (secrets.includes(name) && typeof field === "string") return [name, STAND_IN];
      if (name === "headers" && typeof field === "object" && field !== null)
        return [name, Object.fromEntries(Object.keys(field).map((header) => [header, STAND_IN]))];
      return [name, withoutSecrets(field, secrets)];
    }),
  );
}
