-- Secrets that nobody can decrypt any more, because the master key was lost: `sluice rekey --lost` notes them here and
-- removes what is left of them. Whoever sets such a secret anew mends it, by whichever way, so triggers take it off the
-- list.
CREATE TABLE lost_secrets (
  -- A source or a target.
  owner_id uuid NOT NULL,
  what text NOT NULL CHECK (what IN ('signing_secret', 'gemini_api_key', 'headers', 'tls_client_key')),
  -- What the API showed of it, so that people recognise it; null where it showed nothing.
  truncated text,
  lost_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (owner_id, what)
);
--> statement-breakpoint
-- Arguments: what is set anew, and the column of the owner.
CREATE FUNCTION mend_lost_secret() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM lost_secrets WHERE what = TG_ARGV[0] AND owner_id = (to_jsonb(NEW) ->> TG_ARGV[1])::uuid;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER source_secrets_mend AFTER INSERT ON source_secrets
  FOR EACH ROW EXECUTE FUNCTION mend_lost_secret('signing_secret', 'source_id');
--> statement-breakpoint
CREATE TRIGGER target_secrets_mend AFTER INSERT ON target_secrets
  FOR EACH ROW EXECUTE FUNCTION mend_lost_secret('signing_secret', 'target_id');
--> statement-breakpoint
CREATE TRIGGER gemini_keys_mend AFTER INSERT ON gemini_keys
  FOR EACH ROW EXECUTE FUNCTION mend_lost_secret('gemini_api_key', 'source_id');
--> statement-breakpoint
CREATE TRIGGER targets_mend_headers AFTER UPDATE OF headers_ciphertext ON targets
  FOR EACH ROW EXECUTE FUNCTION mend_lost_secret('headers', 'id');
--> statement-breakpoint
CREATE TRIGGER targets_mend_tls AFTER UPDATE OF tls_client_key_ciphertext ON targets
  FOR EACH ROW EXECUTE FUNCTION mend_lost_secret('tls_client_key', 'id');
--> statement-breakpoint
CREATE FUNCTION forget_lost_secrets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM lost_secrets WHERE owner_id = OLD.id;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER sources_forget_lost AFTER DELETE ON sources FOR EACH ROW EXECUTE FUNCTION forget_lost_secrets();
--> statement-breakpoint
CREATE TRIGGER targets_forget_lost AFTER DELETE ON targets FOR EACH ROW EXECUTE FUNCTION forget_lost_secrets();
