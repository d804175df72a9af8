// Keys of streams: options with equal keys are equal.

/** @type {WeakMap<object, number>} */
const identities = new WeakMap();
let count = 0;

/** @param {any} value An object, a function or a symbol. */
function identity(value) {
  if (typeof value === "symbol") return `#${String(value)}`;
  const number = identities.get(value) ?? ++count;
  identities.set(value, number);
  return `#${number}`;
}

/** Types whose values are equal if their entries are equal, in this order. */
const LISTS = [Map, Set, URLSearchParams, globalThis.Headers, globalThis.FormData];

/**
 * Returns the content of an object whose value can be compared.
 *
 * @param {any} value
 * @param {any} type
 * @returns {any[] | undefined}
 */
function content(value, type) {
  if (LISTS.includes(type)) return [...value];
  if (type === Date) return [value.getTime()];
  if (type === URL) return [value.href];
  if (type === ArrayBuffer) return [String(new Uint8Array(value))];
  if (ArrayBuffer.isView(value)) return [String(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))];
  return undefined;
}

/**
 * Returns the key of a value: as JSON has it, and with a form of its own for each other type. An
 * object that cannot be compared by value, such as a function, a `Blob` or an instance of an app's
 * class, is compared by identity.
 *
 * @param {unknown} value
 * @param {(value: any) => string} [identify] Returns the key of an object that is compared by
 *   identity.
 * @param {readonly unknown[]} [outer] The objects that contain the value.
 * @returns {string}
 */
export function keyOf(value, identify = identity, outer = []) {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol" || typeof value === "function") return identify(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (outer.includes(value)) return identify(value);
  /** @param {unknown} inner */
  const key = (inner) => keyOf(inner, identify, [...outer, value]);
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return `[${[.../** @type {any[]} */ (value)].map(key)}]`;
  if (prototype === Object.prototype || prototype === null) {
    const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
    return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${key(inner)}`)}}`;
  }
  const type = prototype.constructor;
  const inner = type?.prototype === prototype ? content(value, type) : undefined;
  return inner ? `${type.name}(${inner.map(key)})` : identify(value);
}
