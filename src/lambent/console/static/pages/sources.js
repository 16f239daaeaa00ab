// Event source mappings: what functions read, how far they are, and whether they get on.
import { html, useMemo, useState } from "../lib.js";
import { aws, page } from "../api.js";
import { functionOf, shortArn } from "../arns.js";
import { number, seconds } from "../format.js";
import { link, useAction, useData } from "../hooks.js";
import { Badge, Button, Card, Code, Confirm, Empty, ErrorBox, Facts, Heading, Loaded, Table, Time } from "../ui.js";

export default function Sources({ route }) {
  const uuid = route.parts[1];
  return uuid ? html`<${Detail} key=${uuid} uuid=${uuid} />` : html`<${List} />`;
}

async function loadMappings(signal) {
  return (await page("/_lambent/mappings", { signal })).mappings;
}

const WORKS = new Set(["OK", "No records processed", ""]);

function Result({ mapping }) {
  const text = mapping.reason ? `${mapping.last_result ?? ""} ${mapping.reason}`.trim() : mapping.last_result;
  if (!text) return "–";
  return html`<${Badge} tone=${mapping.reason || !WORKS.has(mapping.last_result ?? "") ? "bad" : "calm"}>${text}<//>`;
}

// Enables or disables a mapping.
function Switch({ mapping, reload }) {
  const isOn = mapping.state === "Enabled";
  const change = useAction(async () => {
    await aws("lambda", "UpdateEventSourceMapping", { UUID: mapping.uuid, Enabled: !isOn });
    await reload();
  });
  const canChange = isOn || mapping.state === "Disabled";
  return html`<${Button} kind="small" busy=${change.busy} disabled=${!canChange} title=${change.error?.message}
    aria-label=${`${isOn ? "Disable" : "Enable"} ${mapping.uuid}`} onClick=${change.run}>${change.error ? "Retry" : isOn ? "Disable" : "Enable"}<//>`;
}

function List() {
  const [search, setSearch] = useState("");
  const found = useData(loadMappings, [], { every: 3000 });
  const shown = useMemo(() => (found.data ?? []).filter((each) => `${each.function} ${each.source}`.toLowerCase().includes(search.toLowerCase())),
    [found.data, search]);
  const columns = [
    { title: "Source", main: true, cell: (row) => html`<a href=${link(["sources", row.uuid])} title=${row.source}>${shortArn(row.source)}</a>` },
    { title: "Function", main: true, cell: (row) => html`<a href=${link(["functions", row.function.split(":")[0]])}>${row.function}</a>` },
    { title: "State", cell: (row) => html`<${Badge}>${row.state}<//>` },
    { title: "Last result", minor: true, cell: (row) => html`<${Result} mapping=${row} />` },
    { title: "Waiting", minor: true, numeric: true, cell: (row) => number(row.waiting) },
    { title: "Lag", minor: true, numeric: true, cell: (row) => (row.lag_s === null ? "–" : seconds(row.lag_s)) },
    { title: "Batches", minor: true, numeric: true, cell: (row) => number(row.in_flight) },
    { title: "Records/s", minor: true, numeric: true, cell: (row) => number(row.rate) },
    { title: "Actions", minor: true, numeric: true, cell: (row) => html`<${Switch} mapping=${row} reload=${found.reload} />` },
  ];
  return html`<${Heading} title="Event sources">
      <input type="search" aria-label="Search event sources" placeholder="Search sources, functions" value=${search} onInput=${(event) => setSearch(event.target.value)} />
    <//>
    <${Loaded} ...${found} lines=${6}>${(data) => (data.length ? html`
      <${Card} flush><${Table} label="Event source mappings" columns=${columns} rows=${shown} keyOf=${(row) => row.uuid} />
        ${shown.length === 0 && html`<${Empty} title="No event source matches.">Change the search.<//>`}<//>`
      : html`<${Card}><${Empty} title="No function reads a queue or a stream yet.">
        <p>Have one read a queue:</p>
        <pre class="code">aws lambda create-event-source-mapping --function-name NAME${"\n"}  --event-source-arn arn:aws:sqs:us-east-1:000000000000:QUEUE</pre><//><//>`)}<//>`;
}

function Detail({ uuid }) {
  const [asks, setAsks] = useState(false);
  const found = useData(async (signal) => {
    const [mapping, mappings] = await Promise.all([
      aws("lambda", "GetEventSourceMapping", { UUID: uuid }, { signal }), loadMappings(signal),
    ]);
    return { mapping, status: mappings.find((each) => each.uuid === uuid) };
  }, [uuid], { every: 3000 });
  const remove = useAction(async () => {
    await aws("lambda", "DeleteEventSourceMapping", { UUID: uuid });
    location.hash = "#/sources";
  });
  const title = found.data ? shortArn(found.data.status?.source ?? uuid) : uuid;
  return html`<${Heading} title=${title} trail=${[["Event sources", "#/sources"]]}>
      ${found.data?.status && html`<${Badge}>${found.data.status.state}<//><${Switch} mapping=${found.data.status} reload=${found.reload} />`}
      ${found.data && html`<${Button} kind="danger" busy=${remove.busy} disabled=${!["Enabled", "Disabled"].includes(found.data.mapping.State)}
        onClick=${() => setAsks(true)}>Delete<//>`}
    <//>
    <${ErrorBox} error=${remove.error} />
    <${Loaded} ...${found} lines=${6}>${(data) => html`<${Progress} status=${data.status} /><${Configuration} mapping=${data.mapping} />`}<//>
    ${asks && html`<${Confirm} title="Delete this event source mapping?" action="Delete" onClose=${(yes) => { setAsks(false); if (yes) remove.run(); }}>
      The function no longer reads this source, and the position in a stream is forgotten.<//>`}`;
}

function Progress({ status }) {
  if (!status) return null;
  const counts = Object.entries(status.counts);
  return html`<dl class="tiles">
      <div class="tile"><dt>Waiting</dt><dd>${number(status.waiting)}<div class="note">records in the source</div></dd></div>
      <div class="tile"><dt>Lag</dt><dd>${status.lag_s === null ? "–" : seconds(status.lag_s)}<div class="note">age of the last record</div></dd></div>
      <div class="tile"><dt>In progress</dt><dd>${number(status.in_flight)}<div class="note">batches</div></dd></div>
      <div class="tile"><dt>Records/s</dt><dd>${number(status.rate)}<div class="note">in the last minute</div></dd></div>
    </dl>
    ${counts.length > 0 && html`<${Card} title="Since the last change"><${Facts} items=${counts.map(([name, count]) => [name, number(count)])} /><//>`}
    ${status.reason && html`<${ErrorBox} error=${{ code: status.reason, message: "The source cannot be read. The platform tries again; the log of the platform says more." }} />`}`;
}

const SHOWN = new Set(["UUID", "FunctionArn", "EventSourceArn", "State", "LastModified", "LastProcessingResult", "EventSourceMappingArn", "StateTransitionReason"]);

function Configuration({ mapping }) {
  const target = functionOf(mapping.FunctionArn);
  const rest = Object.entries(mapping).filter(([name, value]) => !SHOWN.has(name) && value !== null);
  const simple = rest.filter(([, value]) => typeof value !== "object");
  const nested = rest.filter(([, value]) => typeof value === "object" && Object.keys(value).length > 0);
  return html`<${Card} title="Configuration">
      <${Facts} items=${[
        target && ["Function", html`<a href=${link(["functions", target.name])}>${target.name}${target.qualifier && `:${target.qualifier}`}</a>`],
        ["Last result", mapping.LastProcessingResult], ["Changed", html`<${Time} at=${mapping.LastModified} />`],
        ["Reason", mapping.StateTransitionReason],
        ...simple.map(([name, value]) => [name.replace(/([a-z])([A-Z])/g, "$1 $2"), String(value)]),
        ["UUID", html`<code>${mapping.UUID}</code>`],
      ]} /><//>
    ${nested.length > 0 && html`<${Card} title="More"><${Code}>${JSON.stringify(Object.fromEntries(nested), null, 2)}<//><//>`}`;
}
