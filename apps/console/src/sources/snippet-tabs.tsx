// Code to copy, in the language that a person chooses.

import { CopyButton } from "../ui/copy.tsx";
import { LongText } from "../ui/json-view.tsx";
import { Tabs } from "../ui/tabs.tsx";

export function SnippetTabs({ snippets }: { snippets: readonly { label: string; text: string }[] }) {
  return (
    <div className="snippets">
      <Tabs
        label="Language"
        tabs={snippets.map(({ label, text }) => ({
          key: label,
          label,
          content: (
            <div className="snippet">
              <LongText text={text} label={`Code in ${label}`} />
              <CopyButton text={text} what="the code" />
            </div>
          ),
        }))}
      />
    </div>
  );
}
