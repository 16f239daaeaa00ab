// Queries of CloudWatch Logs Insights.
import { html, useEffect, useMemo, useRef, useState } from "../../lib.js";
import { aws, checked, raw } from "../../api.js";
import { bytes, number } from "../../format.js";
import { link, useAction } from "../../hooks.js";
import { plain } from "../../log_lines.js";
import { Button, Card, Choice, Empty, ErrorBox, Field, Table } from "../../ui.js";
import { GroupPicker } from "./picker.js";

const RANGES = [["3600", "1 h"], ["86400", "24 h"], ["604800", "7 d"], ["2592000", "30 d"]];
const EXAMPLES = [
  ["Newest lines", "fields @timestamp, @log, @message\n| sort @timestamp desc\n| limit 200"],
  ["Errors", "fields @timestamp, @log, @message\n| filter @message like /(?i)error|timed out/\n| sort @timestamp desc\n| limit 200"],
  ["Slowest calls", "filter @type = \"REPORT\"\n| fields @timestamp, @requestId, @duration, @billedDuration, @maxMemoryUsed\n| sort @duration desc\n| limit 20"],
  ["Calls per 5 minutes", "filter @type = \"REPORT\"\n| stats count(*) as calls, avg(@duration) as average, max(@duration) as slowest by bin(5m)"],
  ["Cold starts", "filter @type = \"REPORT\"\n| stats count(*) as calls, sum(strcontains(@message, \"Init Duration\")) as starts by @log"],
];
const GROUPS_MAX = 50;
const POLL_MS = 400;
const CELL_MAX = 400;

export function Queries({ names, query }) {
  const [chosen, setChosen] = useState(() => (query.groups ? query.groups.split(",").filter((name) => names.includes(name)) : names.slice(0, GROUPS_MAX)));
  const [text, setText] = useState(EXAMPLES[0][1]);
  const [range, setRange] = useState("86400");
  const [result, setResult] = useState(null);
  const running = useRef(null);
  useEffect(() => () => running.current?.abort(), []);
  const run = useAction(async () => {
    const controller = new AbortController();
    running.current = controller;
    setResult(null);
    await runQuery({ text, groups: chosen, range: Number(range), signal: controller.signal, onResult: setResult });
  });
  if (!names.length) return html`<${Card}><${Empty} title="There is nothing to query yet.">Call a function; its log group appears here.<//><//>`;
  return html`<${Card}>
      <form class="query-form" onSubmit=${(event) => { event.preventDefault(); run.run(); }}>
        <div class="log-bar">
          <${GroupPicker} groups=${names} chosen=${chosen} max=${GROUPS_MAX} onChange=${setChosen} />
          <${Choice} label="Range" options=${RANGES} value=${range} onChange=${setRange} />
          <select aria-label="Examples" value="" onChange=${(event) => setText(EXAMPLES[Number(event.target.value)][1])}>
            <option value="" disabled>Examples</option>
            ${EXAMPLES.map(([title], at) => html`<option key=${title} value=${at}>${title}</option>`)}
          </select>
        </div>
        <${Field} label="Query" hint="Ctrl+Enter runs it." wide>${(props) => html`<textarea ...${props} class="mono" rows="5" spellcheck=${false} value=${text}
          onInput=${(event) => setText(event.target.value)}
          onKeyDown=${(event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); if (chosen.length && !run.busy) run.run(); } }}></textarea>`}<//>
        <div class="actions">
          <button class="primary" type="submit" disabled=${run.busy || !chosen.length} aria-busy=${run.busy}>Run query</button>
          ${run.busy && html`<${Button} onClick=${() => running.current?.abort()}>Stop<//>`}
        </div>
      </form>
      <${ErrorBox} error=${run.error?.name === "AbortError" ? null : run.error} />
    <//>
    ${result && html`<${Result} result=${result} />`}`;
}

async function runQuery({ text, groups, range, signal, onResult }) {
  const now = Math.ceil(Date.now() / 1000);
  const { queryId } = await aws("logs", "StartQuery", {
    queryString: text, logGroupNames: groups, startTime: now - range, endTime: now,
  }, { signal });
  const stop = () => aws("logs", "StopQuery", { queryId }).catch(() => null);
  signal.addEventListener("abort", stop);
  try {
    for (;;) {
      const found = await allResults(queryId, signal);
      onResult(found);
      if (!["Scheduled", "Running", "Unknown"].includes(found.status)) return;
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

// The platform writes the rows of this operation itself, so the response is not one of `aws`.
async function allResults(queryId, signal) {
  const headers = { "Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Logs_20140328.GetQueryResults" };
  return (await checked(await raw("logs", "/", { method: "POST", headers, body: JSON.stringify({ queryId }), signal }))).json();
}

function Result({ result }) {
  const { rows, columns } = useMemo(() => tableOf(result.results ?? []), [result]);
  const { statistics = {}, status } = result;
  const scanned = `${number(statistics.recordsMatched ?? 0)} of ${number(statistics.recordsScanned ?? 0)} lines match, ${bytes(statistics.bytesScanned ?? 0)} read`;
  return html`<${Card} title=${status === "Complete" ? `${number(rows.length)} rows` : status} flush
      actions=${html`<span class="muted small-text" role="status">${scanned}</span>
        ${rows.length > 0 && html`<${Button} kind="small" onClick=${() => download(columns, rows)}>CSV<//>`}`}>
    ${rows.length > 0 ? html`<${Table} label="Results" columns=${columns} rows=${rows} keyOf=${(row) => row.key} />`
      : status === "Complete" && html`<${Empty} title="No line matches.">Choose a longer range or other log groups.<//>`}
  <//>`;
}

function tableOf(results) {
  const names = [];
  const rows = results.map((row, key) => {
    const values = { key };
    for (const { field, value } of row) {
      if (field === "@ptr") continue;
      if (!names.includes(field)) names.push(field);
      values[`:${field}`] = value;
    }
    return values;
  });
  const columns = names.map((name) => ({ title: name, field: name, cell: (row) => html`<${Cell} name=${name} value=${row[`:${name}`]} />` }));
  return { rows, columns };
}

function Cell({ name, value }) {
  if (value === undefined) return "";
  if (name === "@requestId") return html`<a href=${link(["logs"], { view: "request", id: value })}><code>${value}</code></a>`;
  const text = plain(value);
  return html`<code class="cell" title=${text.slice(0, 2000)}>${text.length > CELL_MAX ? `${text.slice(0, CELL_MAX)} …` : text}</code>`;
}

// A spreadsheet takes a cell that begins with one of these as a formula.
export function csvCell(value) {
  const text = value ?? "";
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return `"${safe.replaceAll("\"", "\"\"")}"`;
}

function download(columns, rows) {
  const lines = [columns.map((column) => csvCell(column.field)), ...rows.map((row) => columns.map((column) => csvCell(row[`:${column.field}`])))];
  const url = URL.createObjectURL(new Blob([lines.map((line) => line.join(",")).join("\r\n")], { type: "text/csv" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = "results.csv";
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
