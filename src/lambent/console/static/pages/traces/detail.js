// One trace as a timeline.
import { html, useMemo, useState } from "../../lib.js";
import { aws } from "../../api.js";
import { milliseconds, number } from "../../format.js";
import { link, useData } from "../../hooks.js";
import { plain } from "../../log_lines.js";
import { timelineOf } from "../../trace_tree.js";
import { Badge, Button, Card, Empty, Facts, Heading, Loaded, Time } from "../../ui.js";

const TONES = { fault: "bad", error: "warn", throttle: "warn", ok: "good" };

export function TraceDetail({ id }) {
  const found = useData(async (signal) => (await aws("xray", "BatchGetTraces", { TraceIds: [id] }, { signal })).Traces?.[0] ?? null, [id], { every: 5000 });
  return html`<${Heading} title=${`Trace ${id.slice(-10)}`} trail=${[["Traces", "#/traces"]]} />
    <${Loaded} ...${found} lines=${6}>${(trace) => (trace ? html`<${Timeline} id=${id} trace=${trace} />`
      : html`<${Card}><${Empty} title="There is no such trace.">It may be older than the traces that are kept.<//><//>`)}<//>`;
}

function Timeline({ id, trace }) {
  const { rows, start, length } = useMemo(() => timelineOf(trace.Segments ?? []), [trace]);
  const [chosen, setChosen] = useState(null);
  const selected = rows.find((row) => row.id === chosen);
  const requests = [...new Set(rows.map((row) => row.part.aws?.request_id).filter(Boolean))];
  return html`<${Card} title="Trace"><${Facts} items=${[
      ["ID", html`<code>${id}</code>`, true], ["Start", html`<${Time} at=${start} />`], ["Duration", milliseconds(length * 1000)], ["Segments", number(rows.length)],
      requests.length > 0 && ["Logs", requests.slice(0, 5).map((request) => html`<a key=${request} class="block" href=${link(["logs"], { view: "request", id: request })}><code>${request}</code></a>`), true],
    ]} /><//>
    <${Card} title="Timeline" actions=${html`<span class="muted small-text">0 to ${milliseconds(length * 1000)}</span>`}>
      <ol class="timeline">${rows.map((row) => html`<${Row} key=${row.id} row=${row} length=${length} isSelected=${row.id === chosen}
        onSelect=${() => setChosen(row.id === chosen ? null : row.id)} />`)}</ol>
    <//>
    ${selected && html`<${Part} row=${selected} onClose=${() => setChosen(null)} />`}`;
}

function Row({ row, length, isSelected, onSelect }) {
  const left = Math.min(Math.max((row.start / length) * 100, 0), 100);
  const width = Math.min(Math.max(((row.end - row.start) / length) * 100, 0.4), 100 - left);
  const time = milliseconds((row.end - row.start) * 1000);
  return html`<li><button type="button" class=${isSelected ? "span chosen" : "span"} aria-expanded=${isSelected} onClick=${onSelect}>
    <span class="name" style=${{ paddingLeft: `${Math.min(row.depth, 12) * 14}px` }}>${plain(row.name)} <small>${plain(row.kind)}</small></span>
    <span class="time">${row.state !== "ok" && html`<span class=${`badge ${TONES[row.state]}`}>${row.state}</span> `}${row.isOpen ? "in progress" : time}</span>
    <span class="track" aria-hidden="true"><i class=${row.state} style=${{ left: `${left}%`, width: `${width}%` }}></i></span>
  </button></li>`;
}

function Part({ row, onClose }) {
  const { part } = row;
  const { subsegments, ...own } = part;
  const exceptions = part.cause?.exceptions ?? [];
  return html`<${Card} title=${plain(row.name)} actions=${html`<${Badge} tone=${TONES[row.state]}>${row.state}<//><${Button} kind="small" onClick=${onClose}>Close<//>`}>
    <${Facts} items=${[
      ["Start", milliseconds(row.start * 1000)], ["Duration", milliseconds((row.end - row.start) * 1000)], ["Kind", plain(row.kind) || "–"],
      part.http?.request?.url && ["Request", plain(`${part.http.request.method ?? ""} ${part.http.request.url}`)],
      part.http?.response?.status && ["Response", String(part.http.response.status)],
      ...Object.entries(part.annotations ?? {}).map(([name, value]) => [plain(name), plain(String(value))]),
    ]} />
    ${exceptions.map((each, at) => html`<div class="message bad spaced" key=${at}><div><strong>${plain(String(each.type ?? "Exception"))}</strong><p>${plain(String(each.message ?? ""))}</p></div></div>`)}
    <details class="spaced"><summary>Document</summary><pre class="code" tabindex="0" aria-label="Document">${plain(JSON.stringify(own, null, 2))}</pre></details>
  <//>`;
}
