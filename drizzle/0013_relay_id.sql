-- The identity of this relay. It is in the name of every key in Redis, so that several relays may share one. A dump has
-- it, so that a restored relay finds its jobs.
ALTER TABLE configuration ADD COLUMN relay_id uuid NOT NULL DEFAULT gen_random_uuid();
