import { NodeHttpHandler, type NodeHttpHandlerOptions } from "@smithy/node-http-handler";

export interface RequestHandlerOptions extends NodeHttpHandlerOptions {
  /** How long a connection may be silent while S3 copies what it has, in milliseconds; `socketTimeout` is for all else. */
  readonly copyingTimeout: number;
}

type Request = Parameters<NodeHttpHandler["handle"]>[0];

/**
 * Has more patience with requests that make S3 copy, and gives the errors of Node's network as errors of this realm, with
 * the original as their cause. The SDK tells errors by `instanceof`, and makes one without code, name or cause of any that
 * comes from another realm, as in a test runner.
 */
export class RequestHandler extends NodeHttpHandler {
  readonly #options: RequestHandlerOptions;
  #copying: NodeHttpHandler | undefined;

  constructor(options: RequestHandlerOptions) {
    super(options);
    this.#options = options;
  }

  override async handle(...request: Parameters<NodeHttpHandler["handle"]>): ReturnType<NodeHttpHandler["handle"]> {
    try {
      return await (isCopying(request[0]) ? this.#copyingHandler().handle(...request) : super.handle(...request));
    } catch (error) {
      const { name, code, message } = error as NodeJS.ErrnoException;
      throw Object.assign(new Error(message, { cause: error }), { name, ...(code === undefined ? {} : { code }) });
    }
  }

  override destroy(): void {
    this.#copying?.destroy();
    super.destroy();
  }

  #copyingHandler(): NodeHttpHandler {
    const { copyingTimeout: socketTimeout, ...options } = this.#options;
    // The connections of all requests are the same ones, so that one number bounds them.
    this.#copying ??= new NodeHttpHandler({ ...options, ...agentsOf(this), socketTimeout });
    return this.#copying;
  }
}

/** Those that are made by now. */
function agentsOf(handler: NodeHttpHandler): Pick<NodeHttpHandlerOptions, "httpAgent" | "httpsAgent"> {
  const { httpAgent, httpsAgent } = handler.httpHandlerConfigs();
  return { ...(httpAgent && { httpAgent }), ...(httpsAgent && { httpsAgent }) };
}

function isCopying({ method, query, headers }: Request): boolean {
  return headers["x-amz-copy-source"] !== undefined || (method === "POST" && query?.uploadId !== undefined);
}
