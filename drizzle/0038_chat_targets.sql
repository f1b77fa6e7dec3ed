-- Targets that are incoming webhooks of chat services. Their whole URL is encrypted, and `uri` has its origin alone.
ALTER TABLE targets
  ADD COLUMN kind text NOT NULL DEFAULT 'http',
  ADD COLUMN chat_url_ciphertext bytea;
--> statement-breakpoint
ALTER TABLE lost_secrets
  DROP CONSTRAINT lost_secrets_what_check,
  ADD CONSTRAINT lost_secrets_what_check
    CHECK (what IN ('signing_secret', 'gemini_api_key', 'headers', 'tls_client_key', 'chat_url'));
--> statement-breakpoint
CREATE TRIGGER targets_mend_chat_url AFTER UPDATE OF chat_url_ciphertext ON targets
  FOR EACH ROW EXECUTE FUNCTION mend_lost_secret('chat_url', 'id');
