// Traces of X-Ray.
import { html, useState } from "../lib.js";
import { aws } from "../api.js";
import { milliseconds, number } from "../format.js";
import { link, useData } from "../hooks.js";
import { Badge, Card, Choice, Empty, Heading, Loaded, Notice, Table, Time } from "../ui.js";
import { TraceDetail } from "./traces/detail.js";

export default function Traces({ route }) {
  const id = route.parts[1];
  return id ? html`<${TraceDetail} key=${id} id=${id} />` : html`<${List} query=${route.query} />`;
}

const RANGES = [["900", "15 min"], ["3600", "1 h"], ["21600", "6 h"], ["86400", "24 h"]];
const SHOWN_MAX = 2000;

async function load({ filter, range }, signal, onPage) {
  const end = Date.now() / 1000;
  let found = [];
  let NextToken;
  do {
    const page = await aws("xray", "GetTraceSummaries", {
      StartTime: end - Number(range), EndTime: end, ...(filter && { FilterExpression: filter }), ...(NextToken && { NextToken }),
    }, { signal });
    found = found.concat(page.TraceSummaries ?? []).sort((one, other) => other.StartTime - one.StartTime);
    onPage(found);
    ({ NextToken } = page);
  } while (NextToken && found.length < SHOWN_MAX);
  return found;
}

const COLUMNS = [
  { title: "Trace", cell: (row) => html`<a href=${link(["traces", row.Id])}><code>${row.Id.slice(-10)}</code></a>` },
  { title: "Time", cell: (row) => html`<${Time} at=${row.StartTime} />` },
  { title: "Entry", main: true, cell: (row) => row.EntryPoint?.Name ?? row.ServiceIds?.[0]?.Name ?? "–" },
  { title: "State", cell: (row) => html`<${State} trace=${row} />` },
  { title: "Duration", numeric: true, cell: (row) => milliseconds((row.Duration ?? 0) * 1000) },
  { title: "Response", minor: true, numeric: true, cell: (row) => (row.Http?.HttpStatus ? String(row.Http.HttpStatus) : "–") },
  { title: "URL", minor: true, main: true, cell: (row) => (row.Http?.HttpURL ? `${row.Http.HttpMethod ?? ""} ${row.Http.HttpURL}` : "–") },
];

function State({ trace }) {
  const found = [trace.HasFault && ["fault", "bad"], trace.HasError && ["error", "warn"], trace.HasThrottle && ["throttled", "warn"], trace.IsPartial && ["in progress", "info"]].filter(Boolean);
  return found.length ? found.map(([text, tone]) => html`<${Badge} key=${text} tone=${tone}>${text}<//> `) : html`<${Badge} tone="good">ok<//>`;
}

function List({ query }) {
  const filter = query.filter ?? "";
  const range = RANGES.some(([key]) => key === query.range) ? query.range : "3600";
  const [text, setText] = useState(filter);
  const found = useData((signal, onPage) => load({ filter, range }, signal, onPage), [filter, range], { every: 10000 });
  const go = (more) => { location.hash = link(["traces"], { filter, range, ...more }); };
  return html`<${Heading} title="Traces" />
    <form class="log-bar" onSubmit=${(event) => { event.preventDefault(); go({ filter: text.trim() }); }}>
      <input type="search" class="mono" aria-label="Filter expression" placeholder='Filter: fault, responsetime > 1, service("NAME")' value=${text} spellcheck=${false}
        onInput=${(event) => setText(event.target.value)} onSearch=${(event) => go({ filter: event.target.value.trim() })} />
      <button type="submit">Filter</button>
      <${Choice} label="Range" options=${RANGES} value=${range} onChange=${(value) => go({ range: value })} />
    </form>
    <${Loaded} ...${found} lines=${6}>${(data) => (data.length ? html`
      ${data.length >= SHOWN_MAX && html`<${Notice} kind="warn">These are ${number(data.length)} traces of more: choose a shorter range, or a filter.<//>`}
      <${Card} flush><${Table} label="Traces" columns=${COLUMNS} rows=${data} keyOf=${(row) => row.Id} /><//>`
      : html`<${Card}><${Empty} title=${filter ? "No trace matches." : "There are no traces in this range."}>
        <p>Functions whose tracing is active are traced:</p>
        <pre class="code">aws lambda update-function-configuration --function-name NAME${"\n"}  --tracing-config Mode=Active</pre><//><//>`)}<//>`;
}
