-- By number, as versions to be removed are looked for: whatever the planner believes about their share, no other way to
-- the next of them is shorter.
DROP INDEX manifest_versions_pending;
CREATE INDEX manifest_versions_pending ON manifest_versions (id) WHERE pending_since IS NOT NULL;

DROP INDEX object_versions_pending;
CREATE INDEX object_versions_pending ON object_versions (id) WHERE pending_since IS NOT NULL;

-- A version that loses its name goes at once if it has no more parts than one statement removes in any case. A longer one
-- is marked as pending for ever, and whoever finds the mark removes it, a few parts at a time.
CREATE OR REPLACE FUNCTION remove_manifest_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT FROM manifest_pages WHERE version = OLD.version OFFSET 16) THEN
    UPDATE manifest_versions SET pending_since = 'infinity' WHERE id = OLD.version;
  ELSE
    DELETE FROM manifest_versions WHERE id = OLD.version;
  END IF;
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION remove_object_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT FROM object_chunks WHERE version = OLD.version OFFSET 16) THEN
    UPDATE object_versions SET pending_since = 'infinity' WHERE id = OLD.version;
  ELSE
    DELETE FROM object_versions WHERE id = OLD.version;
  END IF;
  RETURN NULL;
END
$$;
