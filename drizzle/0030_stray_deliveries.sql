-- The deliveries that were stored long after the time in their ids: the filter `since` compares when they were created, and
-- a range of ids does not find them. A few rows as a rule, so this is no partitioned table: retention deletes them.
CREATE TABLE stray_deliveries (
  id uuid PRIMARY KEY,
  created_at timestamptz NOT NULL
);
--> statement-breakpoint
-- Also holds the id, so that the strays of a time range are read from the index alone.
CREATE INDEX stray_deliveries_created ON stray_deliveries (created_at, id);
