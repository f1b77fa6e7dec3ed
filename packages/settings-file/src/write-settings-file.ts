// Writes a configuration as YAML, as `sluice export` prints it.

import { Document } from "yaml";

/** @param schema where an editor finds the JSON Schema of the file. */
export function writeSettingsFile(configuration: object, schema: string): string {
  const document = new Document(configuration, { version: "1.2" });
  document.commentBefore = ` yaml-language-server: $schema=${schema}`;
  return document.toString({ lineWidth: 0 });
}
