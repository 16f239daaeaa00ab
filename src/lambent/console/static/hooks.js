// Hooks: data that is loaded and refreshed, and the address.
import { useCallback, useEffect, useRef, useState } from "./lib.js";

// Loads data with `load(signal)` now, when `inputs` change, and every `every` milliseconds while the page is
// visible. What was loaded stays until there is something newer, so that nothing jumps.
// Returns {data, error, loading, reload}.
export function useData(load, inputs, { every = 0 } = {}) {
  const [state, setState] = useState({ data: undefined, error: null, loading: true });
  const current = useRef(null);
  const run = useCallback(async () => {
    current.current?.abort();
    const controller = new AbortController();
    current.current = controller;
    try {
      const data = await load(controller.signal, (partial) => {
        if (!controller.signal.aborted) setState((old) => ({ ...old, data: partial }));
      });
      if (!controller.signal.aborted) setState({ data, error: null, loading: false });
    } catch (error) {
      if (!controller.signal.aborted) setState((old) => ({ ...old, error, loading: false }));
    }
  }, inputs);
  useEffect(() => {
    setState((old) => ({ ...old, loading: true }));
    run();
    const timer = every && setInterval(() => document.hidden || run(), every);
    return () => {
      clearInterval(timer);
      current.current?.abort();
    };
  }, [run, every]);
  return { ...state, reload: run };
}

// Runs an action of a button: {run, busy, error, done}.
export function useAction(action) {
  const [state, setState] = useState({ busy: false, error: null, done: false });
  const run = async (...values) => {
    setState({ busy: true, error: null, done: false });
    try {
      const result = await action(...values);
      setState({ busy: false, error: null, done: true });
      return result;
    } catch (error) {
      setState({ busy: false, error, done: false });
      return undefined;
    }
  };
  return { ...state, run, clear: () => setState({ busy: false, error: null, done: false }) };
}

// The address: #/functions/NAME?tab=code becomes {parts: ["functions", "NAME"], query: {tab: "code"}}.
export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

export function link(parts, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${text && `?${text}`}`;
}

export function useRoute() {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const changed = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}
