// The execution environments that run or wait.
import { html, useMemo, useState } from "../lib.js";
import { loadEnvironments } from "../environments.js";
import { bytes, number, seconds } from "../format.js";
import { link, useData } from "../hooks.js";
import { Badge, Card, Empty, Heading, Loaded, MissingNodes, Table } from "../ui.js";

export default function Environments() {
  const [search, setSearch] = useState("");
  const found = useData(loadEnvironments, [], { every: 3000 });
  return html`<${Heading} title="Environments">
      <input type="search" placeholder="Search functions, states" aria-label="Search environments" value=${search}
        onInput=${(event) => setSearch(event.target.value)} />
    <//>
    <${Loaded} ...${found} lines=${6}>${(data) => html`
      <${MissingNodes} nodes=${data.missing_nodes} />
      <${List} environments=${data.environments} search=${search} />`}<//>`;
}

const COLUMNS = [
  { title: "Function", main: true, cell: (row) => html`<a href=${link(["functions", row.function])}>${row.function}</a>` },
  { title: "Version", minor: true, cell: (row) => row.version },
  { title: "State", cell: (row) => html`<${Badge}>${row.state}<//>${row.provisioned && html` <${Badge} tone="info">provisioned<//>`}` },
  { title: "Age", minor: true, numeric: true, cell: (row) => seconds(row.age_s) },
  { title: "Idle", minor: true, numeric: true, cell: (row) => (row.idle_s === null ? "–" : seconds(row.idle_s)) },
  { title: "Memory", numeric: true, cell: (row) => html`<${Memory} row=${row} />` },
  { title: "CPU", minor: true, numeric: true, cell: (row) => (row.cpu_s === null ? "–" : `${number(row.cpu_s)} s`) },
  { title: "Network", minor: true, numeric: true, cell: (row) => html`<span title="sent · received">${bytes(row.sent_bytes)} · ${bytes(row.received_bytes)}</span>` },
  { title: "Node", minor: true, cell: (row) => row.node },
  { title: "Log", minor: true, cell: (row) => html`<a href=${link(["logs", row.log_group], { stream: row.log_stream })} aria-label=${`Log of ${row.id.slice(0, 8)}`}><code>${row.id.slice(0, 8)}</code></a>` },
];

function Memory({ row }) {
  const used = row.memory_bytes === null ? row.memory_used_max_mb : Math.round(row.memory_bytes / (1 << 20));
  const share = Math.min(used / row.memory_mb, 1);
  return html`<span class="meter" title=${`at most ${row.memory_used_max_mb} MB so far`}>
    <i><b style=${{ width: `${share * 100}%` }} class=${share > 0.9 ? "bad" : ""}></b></i>${used} / ${row.memory_mb} MB</span>`;
}

function List({ environments, search }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = useMemo(() => environments.filter((each) => words.every((word) => `${each.function} ${each.state}`.includes(word))),
    [environments, search]);
  if (!environments.length) {
    return html`<${Card}><${Empty} title="No execution environment runs.">
      Invoke a function: its first call starts one, which then waits for the next call.<//><//>`;
  }
  const columns = environments.some((each) => each.node !== undefined) ? COLUMNS : COLUMNS.filter((each) => each.title !== "Node");
  const counts = new Map();
  for (const each of environments) counts.set(each.state, (counts.get(each.state) ?? 0) + 1);
  const memory = environments.reduce((sum, each) => sum + (each.memory_bytes ?? 0), 0);
  return html`<dl class="tiles">
      <div class="tile"><dt>Environments</dt><dd>${number(environments.length)}</dd></div>
      ${[...counts].map(([state, count]) => html`<div class="tile" key=${state}><dt>${state}</dt><dd>${number(count)}</dd></div>`)}
      <div class="tile"><dt>Memory in use</dt><dd>${bytes(memory)}</dd></div>
    </dl>
    <${Card} flush><${Table} label="Environments" columns=${columns} rows=${shown} keyOf=${(row) => row.id} />
      ${shown.length === 0 && html`<${Empty} title="No environment matches.">Change the search.<//>`}<//>`;
}
