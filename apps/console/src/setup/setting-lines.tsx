// Settings as lines: each name beside its value, which may be long.

import type { ReactNode } from "react";

export function SettingLine({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
