-- The key of the Gemini API with which the webhooks and jobs of a source are managed. `key_id` tells which sources share a
-- key without decrypting any.
CREATE TABLE gemini_keys (
  source_id uuid PRIMARY KEY REFERENCES sources ON DELETE CASCADE,
  ciphertext bytea NOT NULL,
  truncated text NOT NULL,
  key_id text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
-- How many requests were sent to Gemini with a key in an hour.
CREATE TABLE gemini_requests (
  key_id text NOT NULL,
  hour timestamptz NOT NULL,
  sent integer NOT NULL,
  PRIMARY KEY (key_id, hour)
);
