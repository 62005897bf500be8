-- The blocks that somebody recorded after the block store had acknowledged them.
CREATE TABLE blocks (
  digest bytea NOT NULL CHECK (octet_length(digest) = 32),
  size integer NOT NULL CHECK (size BETWEEN 1 AND 16777216),
  -- 0 is blake3, 1 is sha256
  algorithm smallint NOT NULL CHECK (algorithm IN (0, 1)),
  PRIMARY KEY (digest, size, algorithm)
);

-- One set of pages. Pending while it is written, over several transactions; whoever publishes it clears that.
CREATE TABLE manifest_versions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pending_since timestamptz
);

CREATE INDEX manifest_versions_pending ON manifest_versions (pending_since) WHERE pending_since IS NOT NULL;

-- Up to 1,024 entries, packed. Hashes do not compress, so nobody tries.
CREATE TABLE manifest_pages (
  version bigint NOT NULL REFERENCES manifest_versions ON DELETE CASCADE,
  first_offset bigint NOT NULL CHECK (first_offset BETWEEN 0 AND 9007199254740991),
  content bytea NOT NULL CHECK (
    octet_length(content) BETWEEN 54 AND 36882 AND (octet_length(content) - 18) % 36 = 0
  ),
  checksum integer NOT NULL,
  PRIMARY KEY (version, first_offset)
);

ALTER TABLE manifest_pages ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE manifests (
  key text COLLATE "C" PRIMARY KEY CHECK (key ~ '^(blake3|sha256):[0-9a-f]{64}:(0|[1-9][0-9]{0,15})$'),
  version bigint NOT NULL UNIQUE REFERENCES manifest_versions,
  block_count bigint NOT NULL CHECK (block_count BETWEEN 0 AND 9007199254740991),
  -- milliseconds since 1970
  created_at bigint NOT NULL CHECK (created_at > 0),
  -- json, not jsonb: what the writer said is given back as it was said
  attributes json NOT NULL CHECK (json_typeof(attributes) = 'object')
);

CREATE FUNCTION remove_manifest_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  DELETE FROM manifest_versions WHERE id = OLD.version;
  RETURN NULL;
END
$$;

CREATE TRIGGER manifest_removed AFTER DELETE ON manifests
  FOR EACH ROW EXECUTE FUNCTION remove_manifest_version();
