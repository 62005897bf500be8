-- Content key to the locators that hold the content, in byte order.
CREATE TABLE replicas (
  key text COLLATE "C" PRIMARY KEY CHECK (key ~ '^(blake3|sha256):[0-9a-f]{64}:(0|[1-9][0-9]{0,15})$'),
  locators text[] COLLATE "C" NOT NULL CHECK (
    cardinality(locators) BETWEEN 1 AND 1024
    AND array_to_string(locators, E'\n', E'\n') ~ '^((^|\n)(s3|fs|pg|mem)://[a-z0-9][a-z0-9.-]{0,62}/[^/\n][^\n]*)+$'
  ),
  checksum integer NOT NULL
);

-- Locator to the spans persisted there: 16 bytes each, sorted and disjoint.
CREATE TABLE ranges (
  locator text COLLATE "C" PRIMARY KEY CHECK (
    locator ~ '^(s3|fs|pg|mem)://[a-z0-9][a-z0-9.-]{0,62}/[^/]' AND octet_length(locator) <= 1100
  ),
  spans bytea NOT NULL CHECK (octet_length(spans) <= 1048576 AND octet_length(spans) % 16 = 0),
  checksum integer NOT NULL
);

ALTER TABLE ranges ALTER COLUMN spans SET STORAGE EXTERNAL;
