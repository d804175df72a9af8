// The module of `app-router.d.ts`, which has types alone: a bundler that keeps the import of a type
// finds something to import.

export {};
