import { NodeHttpHandler } from "@smithy/node-http-handler";

/**
 * Gives the errors of Node's network as errors of this realm, with the original as their cause. The SDK tells errors by
 * `instanceof`, and makes one without code, name or cause of any that comes from another realm, as in a test runner.
 */
export class RequestHandler extends NodeHttpHandler {
  override async handle(...request: Parameters<NodeHttpHandler["handle"]>): ReturnType<NodeHttpHandler["handle"]> {
    try {
      return await super.handle(...request);
    } catch (error) {
      const { name, code, message } = error as NodeJS.ErrnoException;
      throw Object.assign(new Error(message, { cause: error }), { name, ...(code === undefined ? {} : { code }) });
    }
  }
}
