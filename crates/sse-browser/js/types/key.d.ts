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
export function keyOf(value: unknown, identify?: (value: any) => string, outer?: readonly unknown[]): string;
