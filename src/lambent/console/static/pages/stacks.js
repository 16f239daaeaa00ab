// Stacks of CloudFormation.
import { html, useMemo, useState } from "../lib.js";
import { awsAll } from "../api.js";
import { link, useData } from "../hooks.js";
import { Card, Empty, Heading, Loaded, Table, Time } from "../ui.js";
import { StackDetail, Status } from "./stacks/detail.js";

export default function Stacks({ route }) {
  const [, name, tab] = route.parts;
  return name ? html`<${StackDetail} key=${name} name=${name} tab=${tab} />` : html`<${List} />`;
}

const COLUMNS = [
  { title: "Stack", main: true, cell: (row) => html`<a href=${link(["stacks", row.StackName])}>${row.StackName}</a>` },
  { title: "Status", cell: (row) => html`<${Status} status=${row.StackStatus} />` },
  { title: "Description", minor: true, main: true, cell: (row) => row.Description || "–" },
  { title: "Changed", minor: true, cell: (row) => html`<${Time} at=${row.LastUpdatedTime ?? row.CreationTime} relative />` },
];

function List() {
  const [search, setSearch] = useState("");
  const found = useData((signal) => awsAll("cloudformation", "DescribeStacks", {}, { items: "Stacks", token: "NextToken", signal }), [], { every: 5000 });
  const shown = useMemo(() => (found.data ?? []).filter((row) => `${row.StackName} ${row.StackStatus} ${row.Description ?? ""}`.toLowerCase().includes(search.toLowerCase())), [found.data, search]);
  return html`<${Heading} title="Stacks">
      <input type="search" aria-label="Search stacks" placeholder="Search names, statuses" value=${search} onInput=${(event) => setSearch(event.target.value)} />
    <//>
    <${Loaded} ...${found} lines=${6}>${(data) => (data.length ? html`
      <${Card} flush><${Table} label="Stacks" columns=${COLUMNS} rows=${shown} keyOf=${(row) => row.StackId} />
        ${shown.length === 0 && html`<${Empty} title="No stack matches.">Change the search.<//>`}<//>`
      : html`<${Card}><${Empty} title="There are no stacks in this Region yet.">
        <p>Deploy a template, or a project with several functions:</p><pre class="code">lambent deploy template.yaml</pre><//><//>`)}<//>`;
}
