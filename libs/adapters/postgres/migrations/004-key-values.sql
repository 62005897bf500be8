-- Keys are bytes of UTF-8: text cannot hold the character U+0000, and bytes have the order that scans promise.
CREATE TABLE key_values (
  key bytea PRIMARY KEY CHECK (octet_length(key) <= 1024),
  value bytea NOT NULL CHECK (octet_length(value) <= 1048576),
  checksum integer NOT NULL
);

ALTER TABLE key_values ALTER COLUMN value SET STORAGE EXTERNAL;
