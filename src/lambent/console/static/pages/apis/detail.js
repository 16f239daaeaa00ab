// One API: its routes with what they lead to, its stages, and a form to try it.
import { html } from "../../lib.js";
import { link, useData } from "../../hooks.js";
import { Badge, Card, Empty, Facts, Heading, Loaded, Table, Tabs, Time } from "../../ui.js";
import { loadApi } from "./load.js";
import { TryIt } from "./try.js";

const TYPES = { rest: "REST", http: "HTTP", websocket: "WebSocket" };

export function ApiDetail({ kind, id, tab }) {
  const found = useData((signal) => loadApi(kind, id, signal), [kind, id]);
  const tabs = [["routes", kind === "rest" ? "Resources" : "Routes"], ["stages", "Stages"], ["try", "Try it"]].filter(([key]) => key !== "try" || kind !== "websocket");
  const current = tabs.find(([key]) => key === tab)?.[0] ?? "routes";
  return html`<${Heading} title=${found.data?.name ?? id} trail=${[["APIs", "#/apis"]]}><${Badge}>${TYPES[kind] ?? kind}<//><//>
    <${Tabs} label="API" tabs=${tabs} current=${current} href=${(key) => link(["apis", kind, id, key])} />
    <${Loaded} ...${found} lines=${6}>${(data) => (current === "try" ? html`<${TryIt} kind=${kind} id=${id} api=${data} />`
      : current === "stages" ? html`<${Stages} stages=${data.stages} />` : html`<${Routes} kind=${kind} id=${id} api=${data} />`)}<//>`;
}

function Target({ route }) {
  if (route.target) {
    return html`<a href=${link(["functions", route.target.name])}>${route.target.name}${route.target.qualifier && `:${route.target.qualifier}`}</a>`;
  }
  return html`<span title=${route.uri}>${route.type}${route.uri ? ` ${route.uri}` : ""}</span>`;
}

function Routes({ kind, id, api }) {
  const columns = [
    { title: "Method", cell: (row) => (row.method ? html`<code class="method">${row.method}</code>` : "–") },
    { title: "Path", main: true, cell: (row) => html`<code>${row.path}</code>` },
    { title: "Integration", main: true, cell: (row) => html`<${Target} route=${row} />` },
    { title: "Authorization", minor: true, cell: (row) => html`${row.auth === "NONE" ? "none" : row.auth}${row.needsKey && html` <${Badge} tone="info">API key<//>`}` },
    kind !== "websocket" && { title: "Actions", minor: true, numeric: true, cell: (row) => html`<a class="button small" aria-label=${`Try ${row.method} ${row.path}`}
      href=${link(["apis", kind, id, "try"], { route: row.key })}>Try</a>` },
  ].filter(Boolean);
  return html`<${Card} title="API"><${Facts} items=${[...api.facts.filter(([, value]) => value), ["Created", html`<${Time} at=${api.created} />`]]} /><//>
    <${Card} flush>${api.routes.length ? html`<${Table} label="Routes" columns=${columns} rows=${api.routes} keyOf=${(row) => row.key} />`
      : html`<${Empty} title="This API has no routes yet.">Add one with <code>${kind === "rest" ? "aws apigateway put-method" : "aws apigatewayv2 create-route"}</code>.<//>`}<//>`;
}

function Stages({ stages }) {
  const columns = [
    { title: "Stage", main: true, cell: (row) => row.name },
    { title: "Deployment", cell: (row) => (row.deployment ? html`<code>${row.deployment}</code>` : "–") },
    { title: "Deploys", minor: true, cell: (row) => (row.isAutomatic ? "each change" : "by hand") },
    { title: "Variables", minor: true, main: true, cell: (row) => Object.entries(row.variables ?? {}).map(([name, value]) => `${name}=${value}`).join(", ") || "–" },
    { title: "Changed", minor: true, cell: (row) => html`<${Time} at=${row.changed} relative />` },
  ];
  return html`<${Card} flush>${stages.length ? html`<${Table} label="Stages" columns=${columns} rows=${stages} keyOf=${(row) => row.name} />`
    : html`<${Empty} title="This API has no stages yet.">Requests reach an API at a stage: deploy it to one.<//>`}<//>`;
}
