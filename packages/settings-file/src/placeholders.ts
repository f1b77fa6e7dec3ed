// Replaces `${env:NAME}` and `${file:/path}` in the texts of a file of settings. A file in git names its secrets this way and does
// not hold them. `$${` stands for `${`.

const PLACEHOLDER = /\$?\$\{([^}]*)\}?/g;
const REFERENCE = /^(env|file):(.+)$/s;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Where the values of placeholders come from. */
export interface PlaceholderSources {
  env: NodeJS.ProcessEnv;
  /** @throws Error, when the file cannot be read. A relative path begins at the folder of the file of settings. */
  readFile: (path: string) => string;
}

/** @returns the text with its placeholders replaced, or what is wrong with it, as the rest of a sentence. */
export function replacePlaceholders(text: string, sources: PlaceholderSources): { text: string } | { fault: string } {
  let fault: string | undefined;
  const replaced = text.replaceAll(PLACEHOLDER, (match, inner: string) => {
    if (match.startsWith("$$")) return match.slice(1);
    const value = match.endsWith("}")
      ? resolvePlaceholder(inner, sources)
      : { fault: 'has "${" without "}"; write "$${" for the characters' };
    if ("text" in value) return value.text;
    fault ??= value.fault;
    return "";
  });
  return fault === undefined ? { text: replaced } : { fault };
}

function resolvePlaceholder(
  inner: string,
  { env, readFile }: PlaceholderSources,
): { text: string } | { fault: string } {
  const [, kind, name = ""] = REFERENCE.exec(inner) ?? [];
  if (kind === "env" && VARIABLE.test(name)) {
    const value = env[name];
    return value === undefined || value === ""
      ? { fault: `names the environment variable ${name}, which is not set` }
      : { text: value };
  }
  if (kind === "file") {
    try {
      const value = readFile(name).replace(/\r?\n$/, "");
      return value === "" ? { fault: `names the file ${name}, which is empty` } : { text: value };
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
      return { fault: `names the file ${name}, which cannot be read (${reason})` };
    }
  }
  return {
    fault: `has "\${${inner}}", which is neither \${env:NAME} nor \${file:/path}; write "$\${" for the characters`,
  };
}
