-- What a file of settings manages. Others change it only by force.
ALTER TABLE sources ADD COLUMN managed_by text;
--> statement-breakpoint
ALTER TABLE targets ADD COLUMN managed_by text;
--> statement-breakpoint
ALTER TABLE api_keys ADD COLUMN managed_by text;
--> statement-breakpoint
-- One row: who applies settings. A lease and not a lock, because each resource is a transaction of its own.
CREATE TABLE settings_turn (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  holder uuid,
  held_until timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
INSERT INTO settings_turn DEFAULT VALUES;
