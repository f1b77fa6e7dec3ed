-- The name of a target is unique among targets, and that of an API key among the keys that are not revoked.

-- No name may change between the triggers and the indexes.
LOCK TABLE targets, api_keys IN EXCLUSIVE MODE;
--> statement-breakpoint
-- Adds a number to a name that another row has: `billing-2`. A trigger, and not the statements that write names: an older
-- version runs beside this one during an upgrade, and its inserts MUST NOT fail. This version compares the stored name
-- with the one that it wrote where a taken name is an error.
--
-- Its argument is a condition: only the rows that meet it hold their names. A name has at most 200 characters.
CREATE FUNCTION make_name_unique() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  wanted text := NEW.name;
  suffix text;
  number integer := 1;
  is_taken boolean;
BEGIN
  -- One transaction at a time gives names in a table. The next one sees them, because each statement of this function
  -- has a snapshot of its own. "name" in ASCII.
  PERFORM pg_advisory_xact_lock(x'6e616d65'::integer, TG_RELID::integer);
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE name = $1 AND id <> $2 AND %s)', TG_RELID::regclass, TG_ARGV[0])
      INTO is_taken USING NEW.name, NEW.id;
    IF NOT is_taken THEN
      RETURN NEW;
    END IF;
    number := number + 1;
    suffix := '-' || number;
    NEW.name := left(wanted, 200 - length(suffix)) || suffix;
  END LOOP;
END $$;
--> statement-breakpoint
CREATE TRIGGER targets_unique_name BEFORE INSERT OR UPDATE OF name ON targets
  FOR EACH ROW EXECUTE FUNCTION make_name_unique('true');
--> statement-breakpoint
CREATE TRIGGER api_keys_unique_name BEFORE INSERT OR UPDATE OF name ON api_keys
  FOR EACH ROW EXECUTE FUNCTION make_name_unique('revoked_at IS NULL');
--> statement-breakpoint
-- The oldest of several keeps its name. migrate.ts writes warnings to the log.
DO $$
DECLARE
  doubled record;
  given text;
BEGIN
  FOR doubled IN
    SELECT id, name, created_at FROM targets t
    WHERE EXISTS (SELECT FROM targets older WHERE older.name = t.name AND older.id < t.id) ORDER BY id
  LOOP
    UPDATE targets SET name = name WHERE id = doubled.id RETURNING name INTO given;
    RAISE WARNING 'Several targets had the name "%": the one that was created at % is now named "%"',
      doubled.name, doubled.created_at, given;
  END LOOP;
  FOR doubled IN
    SELECT id, name, created_at FROM api_keys k
    WHERE revoked_at IS NULL AND EXISTS (
      SELECT FROM api_keys older WHERE older.name = k.name AND older.id < k.id AND older.revoked_at IS NULL)
    ORDER BY id
  LOOP
    UPDATE api_keys SET name = name WHERE id = doubled.id RETURNING name INTO given;
    RAISE WARNING 'Several API keys had the name "%": the one that was created at % is now named "%"',
      doubled.name, doubled.created_at, given;
  END LOOP;
END $$;
--> statement-breakpoint
ALTER TABLE targets ADD CONSTRAINT targets_name_unique UNIQUE (name);
--> statement-breakpoint
CREATE UNIQUE INDEX api_keys_name_unique ON api_keys (name) WHERE revoked_at IS NULL;
