// The fields of a source. Each kind shows only its own. The relay judges them, and its faults stand at their fields.

import { FormField } from "../ui/field.tsx";
import { faultUnder } from "../ui/problem.tsx";
import { AreaField, FieldGroup, TextField } from "../setup/form-parts.tsx";
import { type KindOfSource, SCHEMES_OF_KIND, type SourceDraft } from "./source-draft.ts";

/** The fields whose faults this form shows itself. */
export const SOURCE_FIELDS = [
  "name",
  "signing_secret",
  "gemini_api_key",
  "schemes",
  "tolerance_seconds",
  "expect_every_seconds",
  "audiences",
  "issuers",
  "token_types",
  "max_token_seconds",
  "jwks_uri",
  "body_unbound",
  "public_keys",
  "reconcile",
];

const MEANINGS: Record<KindOfSource, string> = {
  static: "One address that you register at Gemini once. A secret that you share with Gemini proves each webhook.",
  dynamic: "An address for each job, named when the job starts. Google’s public keys prove each webhook.",
};

/** Fields with texts. */
type SourceText = {
  [Field in keyof SourceDraft]: SourceDraft[Field] extends string ? Field : never;
}[keyof SourceDraft];

interface SourceFormProps {
  draft: SourceDraft;
  isNew: boolean;
  /** The end of the key of Gemini that is stored. */
  storedKey: string | null;
  onChange: (change: Partial<SourceDraft>) => void;
  onKind: (kind: KindOfSource) => void;
  error: unknown;
}

export function SourceForm({ draft, isNew, storedKey, onChange, onKind, error }: SourceFormProps) {
  const { kind } = draft;
  const text = (field: SourceText, pointer: string) => ({
    value: draft[field],
    onText: (value: string) => onChange({ [field]: value }),
    fault: faultUnder(error, pointer),
  });
  return (
    <>
      {isNew && (
        <fieldset className="kinds">
          <legend>Kind</legend>
          {(["static", "dynamic"] as const).map((one) => (
            <label key={one} className="kind">
              <input type="radio" name="kind" checked={kind === one} onChange={() => onKind(one)} /> {one}
            </label>
          ))}
          <p className="hint">{MEANINGS[kind]} The kind cannot be changed later.</p>
        </fieldset>
      )}
      <div className="form-columns">
        <TextField
          label="Name"
          placeholder="billing"
          hint={`Its address is /in/${draft.name || "name"}. A change of the name changes the address.`}
          {...text("name", "/name")}
        />
        {isNew && kind === "static" && (
          <TextField
            label="Signing secret (optional)"
            type="password"
            placeholder="whsec_…"
            hint="The one that Gemini showed. Leave it empty, and the relay makes one."
            {...text("signingSecret", "/signing_secret")}
          />
        )}
      </div>
      <GeminiFields draft={draft} storedKey={storedKey} onChange={onChange} text={text} error={error} />
      {kind === "dynamic" && <TokenFields draft={draft} onChange={onChange} text={text} error={error} />}
      <FieldGroup
        title="Limits"
        summary="tolerance, and when silence is reported"
        isOpen={["/tolerance_seconds", "/expect_every_seconds"].some((one) => faultUnder(error, one) !== undefined)}
      >
        <div className="form-columns">
          <TextField
            label="Tolerance of the timestamp, seconds"
            placeholder="300"
            {...text("toleranceSeconds", "/tolerance_seconds")}
          />
          <TextField
            label="Tell when no event came for, seconds"
            hint="By the event sluice.source.failing. Empty: never."
            {...text("expectEverySeconds", "/expect_every_seconds")}
          />
        </div>
      </FieldGroup>
    </>
  );
}

interface PartProps {
  draft: SourceDraft;
  onChange: (change: Partial<SourceDraft>) => void;
  text: (
    field: SourceText,
    pointer: string,
  ) => { value: string; onText: (text: string) => void; fault: string | undefined };
  error: unknown;
}

function GeminiFields({ draft, storedKey, onChange, text, error }: PartProps & { storedKey: string | null }) {
  const hasFault = ["/gemini_api_key", "/reconcile"].some((one) => faultUnder(error, one) !== undefined);
  return (
    <FieldGroup
      title="Gemini API"
      summary={storedKey === null ? "no key: the relay does not ask Gemini" : `key ${storedKey}`}
      isOpen={hasFault || draft.reconciles}
    >
      <TextField
        label="Key of the Gemini API"
        type="password"
        placeholder={storedKey === null ? "AIza…" : `${storedKey} is stored; type to replace it`}
        hint="With it, the relay registers the webhook, watches it, and looks for jobs whose webhooks did not come. It is stored encrypted."
        {...text("geminiKey", "/gemini_api_key")}
      />
      {storedKey !== null && (
        <label className="choice">
          <input
            type="checkbox"
            checked={draft.removesGeminiKey}
            onChange={(event) => onChange({ removesGeminiKey: event.target.checked })}
          />
          <span>Remove the stored key</span>
        </label>
      )}
      <label className="choice">
        <input
          type="checkbox"
          checked={draft.reconciles}
          onChange={(event) => onChange({ reconciles: event.target.checked })}
        />
        <span>Reconcile: look at Gemini for jobs that have ended, and whose webhooks did not come</span>
      </label>
      {draft.reconciles && (
        <div className="form-columns">
          <TextField
            label="Look every, seconds"
            placeholder="300"
            {...text("everySeconds", "/reconcile/every_seconds")}
          />
          <TextField
            label="Wait for the webhook, seconds"
            placeholder="900"
            {...text("graceSeconds", "/reconcile/grace_seconds")}
          />
          <TextField
            label="Look back, hours"
            placeholder="72"
            {...text("lookbackHours", "/reconcile/lookback_hours")}
          />
        </div>
      )}
    </FieldGroup>
  );
}

function TokenFields({ draft, onChange, text, error }: PartProps) {
  const pointers = [
    "/schemes",
    "/issuers",
    "/token_types",
    "/max_token_seconds",
    "/jwks_uri",
    "/body_unbound",
    "/public_keys",
  ];
  return (
    <>
      <AreaField
        label="Audiences"
        hint="A JWT must be for one of them, one a line. Without any, every JWT is refused."
        rows={2}
        {...text("audiences", "/audiences")}
      />
      <FieldGroup
        title="Tokens and keys"
        summary={draft.schemes.join(", ")}
        isOpen={pointers.some((one) => faultUnder(error, one) !== undefined)}
      >
        <fieldset className="kinds">
          <legend>Accepted schemes</legend>
          {SCHEMES_OF_KIND.dynamic.map((scheme) => (
            <label key={scheme} className="kind">
              <input
                type="checkbox"
                checked={draft.schemes.includes(scheme)}
                onChange={(event) =>
                  onChange({
                    schemes: SCHEMES_OF_KIND.dynamic.filter((one) =>
                      one === scheme ? event.target.checked : draft.schemes.includes(one),
                    ),
                  })
                }
              />{" "}
              {scheme}
            </label>
          ))}
          {faultUnder(error, "/schemes") !== undefined && <p className="fault">{faultUnder(error, "/schemes")}</p>}
        </fieldset>
        <AreaField label="Issuers" hint="One a line. Empty: any." rows={2} {...text("issuers", "/issuers")} />
        <AreaField
          label="Types of tokens"
          hint="One a line. Empty: any."
          rows={2}
          {...text("tokenTypes", "/token_types")}
        />
        <div className="form-columns">
          <TextField
            label="Longest life of a JWT, seconds"
            placeholder="3600"
            {...text("maxTokenSeconds", "/max_token_seconds")}
          />
          <TextField label="URL of the key set" hint="Empty: Google’s." {...text("jwksUri", "/jwks_uri")} />
          <FormField label="A JWT without the body" fault={faultUnder(error, "/body_unbound")}>
            <select value={draft.bodyUnbound} onChange={(event) => onChange({ bodyUnbound: event.target.value })}>
              <option value="reject">is refused</option>
              <option value="mark">is accepted, and its event marked</option>
            </select>
          </FormField>
        </div>
        <AreaField
          label="Public keys for v1a"
          hint="whpk_…, one a line, beside the published ones."
          rows={2}
          {...text("publicKeys", "/public_keys")}
        />
      </FieldGroup>
    </>
  );
}
