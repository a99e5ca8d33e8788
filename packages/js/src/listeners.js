// Functions of an application that are told of something.

/** Return a function that calls one of an application. What that throws is reported as uncaught, and ends nothing else. */
export function guarded(listener) {
  return (...args) => {
    try {
      listener?.(...args);
    } catch (error) {
      setTimeout(() => { throw error; });
    }
  };
}
