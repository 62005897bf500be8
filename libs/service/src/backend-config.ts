import type { Config } from "./settings.ts";

/** What the settings say of Postgres, as its adapters take it. */
export function postgresConfig(config: Config) {
  const { postgresUrl: connectionString, postgresSchema: schema, postgresConnectionsMax: poolMax } = config;
  return { connectionString, schema, poolMax, migrate: config.postgresMigrate };
}

/** What the settings say of S3, as its adapters take it. */
export function s3Config(config: Config) {
  const { s3AccessKeyId: accessKeyId, s3SecretAccessKey: secretAccessKey } = config;
  const credentials =
    accessKeyId === undefined || secretAccessKey === undefined ? undefined : { accessKeyId, secretAccessKey };
  return {
    endpoint: config.s3Endpoint,
    region: config.s3Region,
    bucket: config.s3Bucket,
    prefix: config.s3Prefix,
    pathStyle: config.s3PathStyle,
    requestsMax: config.s3RequestsMax,
    credentials,
  };
}
