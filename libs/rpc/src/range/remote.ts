import { type Client, createClient } from "@connectrpc/connect";
import { type ByteSpan, checkSpan } from "@graviton/ports/byte-range";
import type { CallOptions } from "@graviton/ports/call-options";
import { Lifetime } from "@graviton/ports/lifetime";
import { checkLocator, formatLocator, type Locator } from "@graviton/ports/locator";
import type { RangeTracker } from "@graviton/ports/range-tracker";
import { RangeTrackerService } from "@graviton/proto/graviton/range/v1/range_pb";
import type { Channel } from "../channel.ts";
import { spanFromWire, spanToWire } from "../convert.ts";
import { RemoteCalls } from "../remote-call.ts";

/** A RangeTracker behind a RangeTrackerService. The channel is the caller's. */
export class RemoteRangeTracker implements RangeTracker {
  readonly #client: Client<typeof RangeTrackerService>;
  readonly #calls: RemoteCalls;
  readonly #lifetime = new Lifetime("RemoteRangeTracker");

  constructor(channel: Channel) {
    this.#client = createClient(RangeTrackerService, channel.transport);
    this.#calls = new RemoteCalls(channel.address);
  }

  current(locator: Locator, options?: CallOptions): Promise<ByteSpan[]> {
    return this.#lifetime.run(options, async () => {
      const request = { locator: formatLocator(checkLocator(locator)) };
      const { spans } = await this.#calls.answer(options, (call) => this.#client.getSpans(request, call));
      return spans.map(spanFromWire);
    });
  }

  merge(locator: Locator, span: ByteSpan, options?: CallOptions): Promise<ByteSpan[]> {
    return this.#lifetime.run(options, async () => {
      const request = { locator: formatLocator(checkLocator(locator)), span: spanToWire(checkSpan(span)) };
      const { spans } = await this.#calls.answer(options, (call) => this.#client.mergeSpan(request, call));
      return spans.map(spanFromWire);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#lifetime[Symbol.asyncDispose]();
  }
}
