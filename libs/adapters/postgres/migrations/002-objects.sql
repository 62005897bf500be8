-- The bytes of one version of an object. Pending while they are written, over several transactions.
CREATE TABLE object_versions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pending_since timestamptz
);

CREATE INDEX object_versions_pending ON object_versions (pending_since) WHERE pending_since IS NOT NULL;

CREATE TABLE object_chunks (
  version bigint NOT NULL REFERENCES object_versions ON DELETE CASCADE,
  first_offset bigint NOT NULL CHECK (first_offset BETWEEN 0 AND 9007199254740991),
  content bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 524288),
  checksum integer NOT NULL,
  PRIMARY KEY (version, first_offset)
);

ALTER TABLE object_chunks ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE objects (
  bucket text COLLATE "C" NOT NULL CHECK (bucket ~ '^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$'),
  path text COLLATE "C" NOT NULL CHECK (octet_length(path) BETWEEN 1 AND 1024 AND path !~ '(^|/)\.{0,2}(/|$)'),
  version bigint NOT NULL UNIQUE REFERENCES object_versions,
  size bigint NOT NULL CHECK (size BETWEEN 0 AND 9007199254740991),
  -- milliseconds since 1970
  modified_at bigint NOT NULL CHECK (modified_at > 0),
  etag text NOT NULL CHECK (etag <> ''),
  PRIMARY KEY (bucket, path)
);

CREATE FUNCTION remove_object_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  DELETE FROM object_versions WHERE id = OLD.version;
  RETURN NULL;
END
$$;

CREATE TRIGGER object_removed AFTER DELETE ON objects
  FOR EACH ROW EXECUTE FUNCTION remove_object_version();

CREATE TRIGGER object_replaced AFTER UPDATE ON objects
  FOR EACH ROW WHEN (OLD.version <> NEW.version) EXECUTE FUNCTION remove_object_version();
