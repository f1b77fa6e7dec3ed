-- Who is signed in to the console. Each row is bound to what signed in, and ends with it.
CREATE TABLE console_sessions (
  id uuid PRIMARY KEY,
  -- SHA-256 of the token in the cookie.
  token_hash bytea NOT NULL UNIQUE,
  method text NOT NULL,
  -- An API key, or the code for `ADMIN_API_KEY`, or what a proxy named.
  key_id uuid,
  admin_key_code bytea,
  identity text,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  CHECK (num_nonnulls(key_id, admin_key_code, identity) = 1)
);
--> statement-breakpoint
-- Codes that sign in once, as the key that made them.
CREATE TABLE console_codes (
  -- SHA-256 of the code.
  code_hash bytea PRIMARY KEY,
  key_id uuid,
  admin_key_code bytea,
  expires_at timestamptz NOT NULL,
  CHECK (num_nonnulls(key_id, admin_key_code) = 1)
);
