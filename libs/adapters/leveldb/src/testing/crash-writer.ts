import { LevelDatabase } from "../database.ts";
import { LevelKeyValueStore } from "../key-value-store.ts";

/** For the crash test: writes pairs to the folder given until it is killed, and prints the name of each that was acknowledged. */
const database = await LevelDatabase.open(process.argv[2] as string);
const store = new LevelKeyValueStore(database);

async function write(writer: number): Promise<never> {
  for (let index = 0; ; index += 1) {
    const name = `${writer}/${index}`;
    await store.put(name, Buffer.from(`the value of ${name}`));
    process.stdout.write(`${name}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
