-- Targets whose service fetches its deliveries. Their `uri` is `pull:`, which no service has.
ALTER TABLE targets ADD COLUMN delete_after_idle_seconds integer;
--> statement-breakpoint
-- Beside `targets`, because a change of that table makes every worker load the target again.
CREATE TABLE target_pulls (
  target_id uuid PRIMARY KEY REFERENCES targets ON DELETE CASCADE,
  -- To the minute.
  last_pulled_at timestamptz NOT NULL
);
--> statement-breakpoint
-- The one target that a key is for; its `scopes` are empty then. Null for a key with scopes.
ALTER TABLE api_keys ADD COLUMN target_id uuid;
