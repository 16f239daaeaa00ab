// The platforms that share one database, and which of them take on work.
import { html, useState } from "../lib.js";
import { page } from "../api.js";
import { useAction, useData } from "../hooks.js";
import { Badge, Button, Card, Confirm, Empty, ErrorBox, Heading, Loaded, Table, Time } from "../ui.js";

const TONES = { live: "good", starting: "info", draining: "warn" };

export default function Nodes() {
  const [asked, setAsked] = useState(null);
  const found = useData(async (signal) => (await page("/_lambent/nodes", { signal })).nodes, [], { every: 3000 });
  const change = useAction(async (node, verb) => {
    await page(`/_lambent/nodes/${node}/${verb}`, { method: "POST" });
    await found.reload();
  });
  const columns = [
    { title: "Node", cell: (row) => html`${row.node} ${row.this && html`<${Badge} tone="info">this<//>`}` },
    { title: "State", cell: (row) => html`<${Badge} tone=${TONES[row.state]}>${row.state}<//>${
      row.answers === false && html` <${Badge} tone="bad">does not answer<//>`}` },
    { title: "Host", main: true, cell: (row) => row.host },
    { title: "Address", minor: true, main: true, cell: (row) => html`<code>${row.url}</code>` },
    { title: "Since", minor: true, cell: (row) => html`<${Time} at=${row.since} relative />` },
    { title: "Release", minor: true, cell: (row) => row.release },
    { title: "Actions", numeric: true, cell: (row) => (row.state === "draining"
      ? html`<${Button} kind="small" busy=${change.busy} aria-label=${`Resume node ${row.node}`} onClick=${() => change.run(row.node, "resume")}>Resume<//>`
      : html`<${Button} kind="small" busy=${change.busy} aria-label=${`Drain node ${row.node}`} onClick=${() => setAsked(row)}>Drain<//>`) },
  ];
  return html`<${Heading} title="Nodes" />
    <${ErrorBox} error=${change.error} />
    <${Loaded} ...${found} lines=${4}>${(data) => (data.length ? html`
      <${Card} flush><${Table} label="Nodes" columns=${columns} rows=${data} keyOf=${(row) => row.node} /><//>`
      : html`<${Card}><${Empty} title="This platform works alone.">
        <p>Several platforms can share one PostgreSQL database and one store of objects, and then share the work:</p>
        <pre class="code">lambent up --set store.shared=true …</pre><//><//>`)}<//>
    ${asked && html`<${Confirm} title=${`Drain node ${asked.node}?`} action="Drain" onClose=${(yes) => { const { node } = asked; setAsked(null); if (yes) change.run(node, "drain"); }}>
      It finishes what runs there and takes on no more. Resume lets it work again.<//>`}`;
}
