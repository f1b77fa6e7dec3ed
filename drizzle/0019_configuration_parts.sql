-- A change of a target is loaded alone, and a change of a source does not make anybody load targets. The older column
-- `configuration.revision` still grows with every change, because an older version compares it.

-- Neither a target nor a source may change between what is noted here and the first trigger.
LOCK TABLE sources, source_secrets, ingress_tokens, targets, target_secrets IN SHARE ROW EXCLUSIVE MODE;
--> statement-breakpoint
-- `revision` grows with every change to the part. A change holds the lock of the row until it commits, so that
-- revisions are committed in their order.
CREATE TABLE configuration_parts (
  part text PRIMARY KEY CHECK (part IN ('sources', 'targets')),
  revision bigint NOT NULL,
  -- The highest revision of a deletion that is not noted any more: a copy that is older has to load the whole part.
  forgotten_revision bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
--> statement-breakpoint
INSERT INTO configuration_parts (part, revision)
  SELECT part, revision FROM configuration, unnest('{sources,targets}'::text[]) AS part;
--> statement-breakpoint
-- The revision of the last change of each target or of its secrets.
CREATE TABLE target_revisions (
  target_id uuid PRIMARY KEY,
  revision bigint NOT NULL,
  is_deleted boolean NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now()
);
--> statement-breakpoint
INSERT INTO target_revisions (target_id, revision, is_deleted) SELECT id, revision, false FROM targets, configuration;
--> statement-breakpoint
CREATE INDEX target_revisions_revision ON target_revisions (revision);
--> statement-breakpoint
-- Triggers, and not the statements that change targets: an older version runs beside this one during an upgrade.
CREATE FUNCTION note_changed_targets() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  ids uuid[];
  next_revision bigint;
BEGIN
  IF TG_TABLE_NAME = 'targets' THEN
    ids := ARRAY(SELECT id FROM changed);
  ELSE
    ids := ARRAY(SELECT DISTINCT target_id FROM changed);
  END IF;
  IF cardinality(ids) = 0 THEN
    RETURN NULL;
  END IF;
  UPDATE configuration_parts SET revision = revision + 1 WHERE part = 'targets' RETURNING revision INTO next_revision;
  INSERT INTO target_revisions AS r (target_id, revision, is_deleted)
    SELECT id, next_revision, NOT EXISTS (SELECT FROM targets t WHERE t.id = changed_id.id)
    FROM unnest(ids) AS changed_id(id)
    ON CONFLICT (target_id) DO UPDATE SET revision = excluded.revision, is_deleted = excluded.is_deleted,
      changed_at = excluded.changed_at;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER targets_changed_insert AFTER INSERT ON targets REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
--> statement-breakpoint
CREATE TRIGGER targets_changed_update AFTER UPDATE ON targets REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
--> statement-breakpoint
CREATE TRIGGER targets_changed_delete AFTER DELETE ON targets REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
--> statement-breakpoint
CREATE TRIGGER target_secrets_changed_insert AFTER INSERT ON target_secrets REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
--> statement-breakpoint
CREATE TRIGGER target_secrets_changed_update AFTER UPDATE ON target_secrets REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
--> statement-breakpoint
CREATE TRIGGER target_secrets_changed_delete AFTER DELETE ON target_secrets REFERENCING OLD TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
--> statement-breakpoint
CREATE FUNCTION note_changed_sources() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE configuration_parts SET revision = revision + 1 WHERE part = 'sources';
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER sources_changed AFTER INSERT OR UPDATE OR DELETE ON sources
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_sources();
--> statement-breakpoint
CREATE TRIGGER source_secrets_changed AFTER INSERT OR UPDATE OR DELETE ON source_secrets
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_sources();
--> statement-breakpoint
CREATE TRIGGER ingress_tokens_changed AFTER INSERT OR UPDATE OR DELETE ON ingress_tokens
  FOR EACH STATEMENT EXECUTE FUNCTION note_changed_sources();
