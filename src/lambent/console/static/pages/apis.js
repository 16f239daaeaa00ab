// APIs of API Gateway: HTTP, WebSocket and REST.
import { html, useMemo, useState } from "../lib.js";
import { awsAll } from "../api.js";
import { link, useData } from "../hooks.js";
import { Badge, Card, Empty, Heading, Loaded, Table, Time } from "../ui.js";
import { ApiDetail } from "./apis/detail.js";

export default function Apis({ route }) {
  const [, kind, id, tab] = route.parts;
  return id ? html`<${ApiDetail} key=${`${kind}/${id}`} kind=${kind} id=${id} tab=${tab} />` : html`<${List} />`;
}

// Both services have their own words; rows have the same.
export async function loadApis(signal) {
  const [rest, others] = await Promise.all([
    awsAll("apigateway", "GetRestApis", { limit: 500 }, { items: "items", token: "position", signal }),
    awsAll("apigatewayv2", "GetApis", { MaxResults: "500" }, { items: "Items", token: "NextToken", signal }),
  ]);
  const rows = [
    ...rest.map((each) => ({ id: each.id, kind: "rest", type: "REST", name: each.name, description: each.description, created: each.createdDate })),
    ...others.map((each) => ({
      id: each.ApiId, kind: each.ProtocolType.toLowerCase(), type: each.ProtocolType === "HTTP" ? "HTTP" : "WebSocket", name: each.Name,
      description: each.Description, created: each.CreatedDate, endpoint: each.ApiEndpoint,
    })),
  ];
  return rows.sort((one, other) => one.name.localeCompare(other.name));
}

const COLUMNS = [
  { title: "Name", main: true, cell: (row) => html`<a href=${link(["apis", row.kind, row.id])}>${row.name}</a>` },
  { title: "Type", cell: (row) => html`<${Badge}>${row.type}<//>` },
  { title: "ID", minor: true, cell: (row) => html`<code>${row.id}</code>` },
  { title: "Description", minor: true, main: true, cell: (row) => row.description || "–" },
  { title: "Created", minor: true, cell: (row) => html`<${Time} at=${row.created} relative />` },
];

function List() {
  const [search, setSearch] = useState("");
  const found = useData(loadApis, [], { every: 15000 });
  const shown = useMemo(() => (found.data ?? []).filter((row) => `${row.name} ${row.id} ${row.type}`.toLowerCase().includes(search.toLowerCase())), [found.data, search]);
  return html`<${Heading} title="APIs">
      <input type="search" aria-label="Search APIs" placeholder="Search names, IDs, types" value=${search} onInput=${(event) => setSearch(event.target.value)} />
    <//>
    <${Loaded} ...${found} lines=${6}>${(data) => (data.length ? html`
      <${Card} flush><${Table} label="APIs" columns=${COLUMNS} rows=${shown} keyOf=${(row) => `${row.kind}/${row.id}`} />
        ${shown.length === 0 && html`<${Empty} title="No API matches.">Change the search.<//>`}<//>`
      : html`<${Card}><${Empty} title="There are no APIs in this Region yet.">
        <p>Put an HTTP API before a function:</p>
        <pre class="code">aws apigatewayv2 create-api --name NAME --protocol-type HTTP --target FUNCTION_ARN</pre><//><//>`)}<//>`;
}
