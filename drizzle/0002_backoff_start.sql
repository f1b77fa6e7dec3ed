-- `attempt_count` when the delivery was last retried by hand: backoff counts the attempts since.
ALTER TABLE deliveries ADD COLUMN backoff_start integer NOT NULL DEFAULT 0;
