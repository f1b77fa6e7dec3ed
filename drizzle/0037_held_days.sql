-- How many days longer than RETENTION_DAYS the oldest day of the log is kept.
ALTER TABLE retention_state ADD COLUMN held_days integer NOT NULL DEFAULT 0;
