-- What a source demands of a JWT beside its audience.
ALTER TABLE sources
  ADD COLUMN issuers text[] NOT NULL DEFAULT '{}',
  ADD COLUMN token_types text[] NOT NULL DEFAULT '{}',
  ADD COLUMN max_token_seconds integer NOT NULL DEFAULT 3600;
--> statement-breakpoint
-- The JWTs that proved a webhook, until they expire: each proves only the webhook id that it came with first.
CREATE TABLE spent_tokens (
  source_id uuid NOT NULL,
  token_id text NOT NULL,
  webhook_id text NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (source_id, token_id)
);
--> statement-breakpoint
CREATE INDEX spent_tokens_expiry ON spent_tokens (expires_at);
