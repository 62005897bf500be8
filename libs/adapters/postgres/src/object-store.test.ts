import { objectStoreContract } from "@graviton/conformance/object-store";
import { streamOf } from "@graviton/conformance/streams";
import { describeContract } from "@graviton/conformance/testing/describe-contract";
import type { MutableObjectStore } from "@graviton/ports/object-store";
import { RemoteObjectStore } from "@graviton/rpc/object/remote";
import { objectRoutes } from "@graviton/rpc/object/routes";
import { overGrpc } from "@graviton/rpc/over-grpc";
import { expect, test } from "@jest/globals";
import { PostgresObjectStore } from "./object-store.ts";
import { describePostgres } from "./testing/describe-postgres.ts";
import { at } from "./testing/large-objects.ts";
import { postgresSubject } from "./testing/postgres-subject.ts";
import { testDatabase } from "./testing/test-database.ts";

describePostgres("PostgresObjectStore", (server) => {
  const subject = postgresSubject<MutableObjectStore>(server, {
    name: "PostgresObjectStore",
    open: (database, close) => new PostgresObjectStore(database, close),
    damage: `UPDATE object_chunks SET content = set_byte(content, 0, get_byte(content, 0) # 1)
      WHERE version = (SELECT version FROM objects WHERE 'pg://' || bucket || '/' || path = $1)`,
  });

  describeContract(objectStoreContract, subject);
  describeContract(
    objectStoreContract,
    overGrpc(subject, objectRoutes, (channel) => new RemoteObjectStore(channel)),
  );

  test("A listing has every path that begins with the prefix, whatever the characters at its edge, and no other.", async () => {
    await using own = await testDatabase(server());
    await using store = new PostgresObjectStore(own.database);
    const last = "\u{10ffff}";
    const paths = [
      "a",
      "a/b",
      `a${last}`,
      `a${last}${last}`,
      `a${last}${last}x`,
      "b",
      "\ud7ff",
      "\ud7ff-",
      "\ue000",
      last,
    ];
    for (const path of paths) await store.put(at(path), streamOf());
    for (const prefix of ["", "a", `a${last}`, `a${last}${last}`, "\ud7ff", last]) {
      const listed = await Array.fromAsync(store.list(at(prefix)), ({ locator }) => locator.path);
      expect(listed).toEqual(paths.filter((path) => path.startsWith(prefix)));
    }
  });
});
