// The machine: what the platform knows of it while it runs.
import { html } from "../lib.js";
import { page } from "../api.js";
import { bytes, number } from "../format.js";
import { useData } from "../hooks.js";
import { Badge, Card, Code, Facts, Heading, Loaded, MissingNodes, Table } from "../ui.js";

const ISOLATION = {
  root: "Every function has its own namespaces, user and limits.",
  "root-no-cgroups": "Every function has its own namespaces and user; memory is limited per process, CPU is not.",
  rootless: "Every function has its own namespaces; all are one user of the host.",
  process: "Functions are ordinary processes: only for code that you trust.",
};

export default function Host() {
  const loaded = useData(loadHost, [], { every: 5000 });
  return html`<${Heading} title="Host" />
    <${Loaded} ...${loaded} lines=${12}>${({ status, runtimes }) => html`
      <${MissingNodes} nodes=${status.missing_nodes} />
      <${Status} status=${status} />
      ${status.other_nodes && html`<${OtherNodes} nodes=${status.other_nodes} />`}
      <${Runtimes} runtimes=${runtimes} />
      <${More} />`}<//>`;
}

async function loadHost(signal) {
  const [status, { runtimes }] = await Promise.all(
    ["status", "runtimes"].map((name) => page(`/_lambent/${name}`, { signal })),
  );
  return { status, runtimes };
}

function More() {
  return html`<${Card} title="More">
      <p>The platform has given up its rights, so it cannot try what this machine allows. <code>lambent doctor</code> builds a sandbox
        step by step, and names what is missing and how to get it:</p>
      <${Code}>sudo lambent doctor<//><//>`;
}

function Status({ status }) {
  const memory = status.memory_mb;
  return html`<dl class="tiles">
      <div class=${status.can_run_functions ? "tile" : "tile bad"}><dt>Functions</dt><dd>${status.can_run_functions ? "run" : "cannot run"}
        <div class="note">${status.can_run_functions ? "the launcher responds" : "the launcher has ended: restart the platform"}</div></dd></div>
      <div class="tile"><dt>Memory for functions</dt><dd>${bytes(memory.available * 1048576)}<div class="note">left of ${bytes(memory.total * 1048576)}</div></dd></div>
      <div class="tile"><dt>Platform</dt><dd>${bytes(memory.platform * 1048576)}<div class="note">of memory</div></dd></div>
      <div class="tile"><dt>Database</dt><dd>${number(status.database.answers_in_ms)} ms<div class="note">${status.database.kind}${
        status.database.bytes === null ? "" : `, ${bytes(status.database.bytes)}`}</div></dd></div>
      <div class=${status.queued_events > 1000 ? "tile bad" : "tile"}><dt>Queued events</dt><dd>${number(status.queued_events)}<div class="note">asynchronous calls</div></dd></div>
    </dl>
    <${Card} title="Platform"><${Facts} items=${[
      ["Isolation", html`<${Badge} tone=${status.isolation === "root" ? "good" : "warn"}>${status.isolation}<//><div class="muted">${ISOLATION[status.isolation]}</div>`],
      ["Authentication", html`<${Badge} tone=${status.auth === "strict" ? "good" : "calm"}>${status.auth}<//><div class="muted">${status.auth === "strict"
        ? "Every request is signed and allowed by policies." : "Everyone who reaches the platform may do everything."}</div>`],
      ["Address", html`<code>${status.url}</code>`],
      ["Functions", number(status.functions)],
      ["Environments", environmentsOf(status)],
      ["Telemetry", html`<${Telemetry} status=${status} />`],
    ]} /><//>`;
}

function environmentsOf(status) {
  return Object.entries(status.environments).map(([name, count]) => `${number(count)} ${name.replaceAll("_", " ")}`).join(", ");
}

// What is not written: its disk is full, or there was too much at once.
function Telemetry({ status }) {
  const failing = ["logs", "metrics", "traces"].filter((name) => !status[name].can_be_written);
  const lost = status.metrics.lost_points;
  if (!failing.length && !lost) return html`<${Badge} tone="good">is written<//>`;
  return html`${failing.length > 0 && html`<${Badge} tone="bad">${failing.join(", ")} cannot be written<//> `}
    ${lost > 0 && html`<${Badge} tone="warn">${number(lost)} points of metrics were lost<//>`}`;
}

function OtherNodes({ nodes }) {
  const columns = [
    { title: "Node", cell: (row) => row.node },
    { title: "Functions", cell: (row) => html`<${Badge} tone=${row.can_run_functions ? "good" : "bad"}>${row.can_run_functions ? "run" : "cannot run"}<//>` },
    { title: "Memory left", numeric: true, cell: (row) => `${bytes(row.memory_mb.available * 1048576)} of ${bytes(row.memory_mb.total * 1048576)}` },
    { title: "Environments", main: true, minor: true, cell: (row) => environmentsOf(row) },
    { title: "Telemetry", minor: true, cell: (row) => html`<${Telemetry} status=${row} />` },
  ];
  return html`<${Card} title="Other nodes" flush><${Table} label="Other nodes" columns=${columns} rows=${nodes} keyOf=${(row) => row.node} /><//>`;
}

function Runtimes({ runtimes }) {
  const rows = Object.entries(runtimes).map(([name, hint]) => ({ name, hint }))
    .sort((one, other) => Number(one.hint !== null) - Number(other.hint !== null));
  const columns = [
    { title: "Runtime", cell: (row) => row.name },
    { title: "State", cell: (row) => html`<${Badge} tone=${row.hint === null ? "good" : "calm"}>${row.hint === null ? "runs here" : "missing"}<//>` },
    { title: "How to get it", main: true, minor: true, cell: (row) => html`<span class="wrap">${row.hint}</span>` },
  ];
  return html`<${Card} title="Runtimes" flush><${Table} label="Runtimes" columns=${columns} rows=${rows} keyOf=${(row) => row.name} /><//>`;
}
