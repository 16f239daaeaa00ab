// All pages: one line each. `path` is the first part of the address; pages without a title are not in the
// navigation. A page's module exports a component as default, which gets {route, session}.
export const PAGES = [
  { path: "", title: "Overview", load: () => import("./pages/overview.js") },
  { path: "functions", title: "Functions", load: () => import("./pages/functions.js") },
  { path: "logs", title: "Logs", load: () => import("./pages/logs.js") },
  { path: "asynchronous", title: "Asynchronous calls", load: () => import("./pages/asynchronous.js") },
  { path: "sources", title: "Event sources", load: () => import("./pages/sources.js") },
  { path: "schedules", title: "Schedules and rules", load: () => import("./pages/schedules.js") },
  { path: "apis", title: "APIs", load: () => import("./pages/apis.js") },
  { path: "stacks", title: "Stacks", load: () => import("./pages/stacks.js") },
  { path: "traces", title: "Traces", load: () => import("./pages/traces.js") },
  { path: "environments", title: "Environments", load: () => import("./pages/environments.js") },
  { path: "host", title: "Host", load: () => import("./pages/host.js") },
  { path: "nodes", title: "Nodes", load: () => import("./pages/nodes.js") },
  { path: "missing", load: () => import("./pages/missing.js") },
];

export function pageOf(route) {
  const wanted = route.parts[0] ?? "";
  return PAGES.find((page) => page.path === wanted) ?? PAGES[PAGES.length - 1];
}
