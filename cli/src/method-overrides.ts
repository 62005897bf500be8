/** The object with some of its methods replaced; all others are its own, private state included. */
export function withMethods<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      if (Object.hasOwn(methods, name)) return Reflect.get(methods, name);
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      // Not `bind`: V8 does not take a bound function as the method that `await using` calls.
      return (...args: unknown[]) => member.apply(target, args);
    },
  });
}
