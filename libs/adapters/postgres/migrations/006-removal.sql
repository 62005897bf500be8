-- A version that loses its name is marked as pending for ever: nobody reads it, and nobody can go on writing it. Whoever
-- finds the mark removes its parts, a few at a time. To delete them here would take one statement as long as the version is.
CREATE OR REPLACE FUNCTION remove_manifest_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE manifest_versions SET pending_since = 'infinity' WHERE id = OLD.version;
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION remove_object_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE object_versions SET pending_since = 'infinity' WHERE id = OLD.version;
  RETURN NULL;
END
$$;
