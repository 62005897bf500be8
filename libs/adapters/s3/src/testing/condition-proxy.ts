import { answeringProxy, isConditional, type ProxiedAnswer, type ProxiedRequest } from "./answering-proxy.ts";

/** An HTTP proxy before an engine, which counts requests and treats the condition of a write as some S3s do. */
export interface ConditionProxy extends AsyncDisposable {
  /** The engine's, by way of the proxy. */
  readonly endpoint: string;
  /** The method of each request so far. */
  readonly methods: string[];
  /** What becomes of conditions from now on. */
  treatment: Treatment;
}

/**
 * `heeded`: as the engine does; `ignored`: what it refuses because it is there seems written; `broken`: the connection
 * ends without an answer; a number: the answer has this status.
 */
export type Treatment = "heeded" | "ignored" | "broken" | number;

/** @param endpoint the engine's, `http://host:port` */
export async function conditionProxy(endpoint: string, treatment: Treatment): Promise<ConditionProxy> {
  const proxy = await answeringProxy(endpoint);
  const methods: string[] = [];
  const conditions: ConditionProxy = {
    endpoint: proxy.endpoint,
    methods,
    treatment,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
  proxy.answer = async (request) => {
    methods.push(request.method);
    return isConditional(request) ? treated(request, conditions.treatment) : request.forward();
  };
  return conditions;
}

async function treated(request: ProxiedRequest, treatment: Treatment): Promise<ProxiedAnswer | "broken"> {
  if (treatment === "broken") return "broken";
  if (typeof treatment === "number") return { status: treatment };
  const answer = await request.forward();
  return treatment === "ignored" && answer.status === 412 ? { status: 200, headers: { etag: '"same"' } } : answer;
}
