// Logs: the groups, the lines of one or of several, what a request did, and queries.
import { html, useMemo, useState } from "../lib.js";
import { bytes, number } from "../format.js";
import { link, useData } from "../hooks.js";
import { shortGroup } from "../log_lines.js";
import { Card, Empty, Heading, Loaded, Table, Tabs, Time } from "../ui.js";
import { loadGroups } from "./logs/load.js";
import { GroupPicker } from "./logs/picker.js";
import { Queries } from "./logs/query.js";
import { Viewer } from "./logs/viewer.js";

const TABS = [["groups", "Groups"], ["tail", "Live tail"], ["request", "Request"], ["query", "Query"]];
const TAIL_MAX = 10;

export default function Logs({ route }) {
  if (route.parts[1]) return html`<${Group} key=${route.parts[1]} name=${route.parts[1]} query=${route.query} />`;
  return html`<${All} query=${route.query} />`;
}

function All({ query }) {
  const tab = TABS.find(([key]) => key === query.view)?.[0] ?? "groups";
  const found = useData(loadGroups, [], { every: 15000 });
  const Content = { groups: Groups, tail: Tail, request: Request, query: Queries }[tab];
  return html`<${Heading} title="Logs" />
    <${Tabs} label="Logs" tabs=${TABS} current=${tab} href=${(key) => link(["logs"], { view: key === "groups" ? "" : key })} />
    <${Loaded} ...${found} lines=${6}>${(data) => html`<${Content} groups=${data} names=${data.map((each) => each.logGroupName)} query=${query} />`}<//>`;
}

const COLUMNS = [
  { title: "Log group", main: true, cell: (row) => html`<a href=${link(["logs", row.logGroupName])}>${row.logGroupName}</a>` },
  { title: "Size", numeric: true, cell: (row) => bytes(row.storedBytes) },
  { title: "Kept", minor: true, cell: (row) => (row.retentionInDays ? `${number(row.retentionInDays)} days` : "default") },
  { title: "Since", minor: true, cell: (row) => html`<${Time} at=${row.creationTime / 1000} relative />` },
];

function Groups({ groups }) {
  const [search, setSearch] = useState("");
  const shown = useMemo(() => groups.filter((each) => each.logGroupName.toLowerCase().includes(search.toLowerCase())), [groups, search]);
  if (!groups.length) {
    return html`<${Card}><${Empty} title="Nothing has been logged yet.">
      <p>A function's log group appears with its first call:</p><pre class="code">lambent invoke NAME</pre><//><//>`;
  }
  return html`<div class="bar-above"><input type="search" aria-label="Search log groups" placeholder="Search names" value=${search}
      onInput=${(event) => setSearch(event.target.value)} /></div>
    <${Card} flush><${Table} label="Log groups" columns=${COLUMNS} rows=${shown} keyOf=${(row) => row.logGroupName} />
      ${shown.length === 0 && html`<${Empty} title="No log group matches.">Change the search.<//>`}<//>`;
}

function Group({ name, query }) {
  const streams = query.stream ? [query.stream] : [];
  const go = (more) => { location.hash = link(["logs", name], { ...query, ...more }); };
  return html`<${Heading} title=${shortGroup(name)} trail=${[["Logs", "#/logs"]]}>
      ${name.startsWith("/aws/lambda/") && html`<a class="button" href=${link(["functions", shortGroup(name)])}>Function</a>`}
      <a class="button" href=${link(["logs"], { view: "query", groups: name })}>Query</a>
    <//>
    ${query.stream && html`<p class="chips"><span class="chip">Stream <code>${query.stream}</code>
      <button class="plain small" type="button" aria-label="All streams" onClick=${() => go({ stream: "" })}>×</button></span></p>`}
    <${Viewer} groups=${[name]} streams=${streams} pattern=${query.filter ?? ""} onPattern=${(filter) => go({ filter })} />`;
}

function Tail({ names, query }) {
  const chosen = query.groups ? query.groups.split(",").filter((name) => names.includes(name)) : names.slice(0, TAIL_MAX);
  const go = (more) => { location.hash = link(["logs"], { ...query, ...more }); };
  return html`<div class="bar-above"><${GroupPicker} groups=${names} chosen=${chosen} max=${TAIL_MAX} onChange=${(list) => go({ groups: list.join(",") })} /></div>
    <${Viewer} groups=${chosen} pattern=${query.filter ?? ""} range="900" onPattern=${(filter) => go({ filter })} />`;
}

const REQUEST = /^[\w-]{8,64}$/;

function Request({ names, query }) {
  const [id, setId] = useState(query.id ?? "");
  const wanted = REQUEST.test(query.id ?? "") ? query.id : null;
  return html`<form class="log-bar" onSubmit=${(event) => { event.preventDefault(); location.hash = link(["logs"], { view: "request", id: id.trim() }); }}>
      <input type="search" class="mono" aria-label="Request ID" placeholder="Request ID" value=${id} spellcheck=${false} required
        pattern=${REQUEST.source} title="Letters, digits and hyphens" onInput=${(event) => setId(event.target.value)} />
      <button type="submit" class="primary">Show</button>
    </form>
    ${wanted && names.length
      ? html`<${Viewer} key=${wanted} groups=${names} pattern=${`"${wanted}"`} range="all" live=${false} searchable=${false}
          empty=${html`<${Empty} title="No log group mentions this request.">Its lines may be older than the logs that are kept.<//>`} />`
      : html`<${Card}><${Empty} title="What did a request do?">Paste the ID of a request: all lines of all functions that name it are shown in order.<//><//>`}`;
}
