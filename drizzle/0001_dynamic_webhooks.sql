-- Dynamic webhooks: their sources, ingress tokens, key sets and callback URLs; filters on targets; and what an
-- event and a rejection say of them.

ALTER TABLE sources
  ADD COLUMN audiences text[] NOT NULL DEFAULT '{}',
  -- Null means Google's.
  ADD COLUMN jwks_uri text,
  ADD COLUMN body_unbound text NOT NULL DEFAULT 'reject' CHECK (body_unbound IN ('reject', 'mark')),
  ADD COLUMN public_keys text[] NOT NULL DEFAULT '{}';
--> statement-breakpoint
CREATE TABLE ingress_tokens (
  id uuid PRIMARY KEY,
  source_id uuid NOT NULL REFERENCES sources ON DELETE CASCADE,
  -- SHA-256. A token is 256 random bits.
  hash bytea NOT NULL,
  truncated text NOT NULL,
  -- The end of a rotation's overlap; null while it is current.
  expires_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
CREATE INDEX ingress_tokens_source ON ingress_tokens (source_id);
--> statement-breakpoint
CREATE TRIGGER ingress_tokens_revision AFTER INSERT OR UPDATE OR DELETE ON ingress_tokens
  FOR EACH STATEMENT EXECUTE FUNCTION bump_configuration_revision();
--> statement-breakpoint
-- The single-use callback URLs that were used, and by which webhook: its retries may use it again.
CREATE TABLE consumed_callbacks (
  id uuid PRIMARY KEY,
  webhook_id text NOT NULL,
  -- After this the URL is refused anyway, and the mark can go.
  expires_at timestamptz NOT NULL
);
--> statement-breakpoint
-- The last good key set of each endpoint, for while it is down and the gateway restarts.
CREATE TABLE key_sets (
  uri text PRIMARY KEY,
  document jsonb NOT NULL,
  fetched_at timestamptz NOT NULL
);
--> statement-breakpoint
-- A CEL expression; null matches every event of the subscription.
ALTER TABLE targets ADD COLUMN filter text;
--> statement-breakpoint
ALTER TABLE events
  ADD COLUMN labels jsonb,
  -- [{target, error}]: filters that failed on this event, which therefore did not match.
  ADD COLUMN filter_errors jsonb,
  -- The signature proves who sent it and not what was sent.
  ADD COLUMN body_unbound boolean NOT NULL DEFAULT false;
--> statement-breakpoint
ALTER TABLE rejections
  ADD COLUMN detail text NOT NULL DEFAULT '',
  -- How many requests the row stands for: beyond a rate, only some are written.
  ADD COLUMN weight integer NOT NULL DEFAULT 1;
--> statement-breakpoint
CREATE INDEX rejections_source ON rejections (source_id, id);
