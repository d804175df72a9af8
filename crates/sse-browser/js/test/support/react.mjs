// The parts of React that the hooks use, without a page.

/** Creates a copy of React; `render` renders a component and returns a function to unmount it. */
export function createReact() {
  let current;
  const same = (one, other) => one && other && one.length === other.length && one.every((value, index) => Object.is(value, other[index]));
  /** Returns the cell of this call. */
  const cell = () => current.cells[current.next++] ??= {};
  const React = {
    useRef: (value) => { const it = cell(); return it.ref ??= { current: value }; },
    useMemo: (make, deps) => {
      const it = cell();
      if (!same(it.deps, deps)) Object.assign(it, { deps, value: make() });
      return it.value;
    },
    useCallback: (run, deps) => React.useMemo(() => run, deps),
    useEffect: (run, deps) => {
      const it = cell();
      if (same(it.deps, deps)) return;
      current.effects.push(() => { it.end?.(); it.deps = deps; it.end = run(); });
    },
    useSyncExternalStore: (subscribe, getSnapshot) => {
      React.useEffect(() => subscribe(() => {}), [subscribe]);
      return getSnapshot();
    },
  };
  const render = (component) => {
    const own = { cells: [], next: 0, effects: [] };
    const update = () => {
      Object.assign(own, { next: 0, effects: [] });
      current = own;
      const result = component();
      for (const effect of own.effects) effect();
      return result;
    };
    update();
    return Object.assign(() => { for (const { end } of own.cells) end?.(); }, { update });
  };
  return { React, render };
}
