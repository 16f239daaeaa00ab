// What runs, how fast it is, and what fails.
import { html, useMemo, useState } from "../lib.js";
import { aws } from "../api.js";
import { Chart } from "../chart.js";
import { bytes, milliseconds, number } from "../format.js";
import { useData } from "../hooks.js";
import { loadEnvironments } from "../environments.js";
import { RANGES, loadMetrics } from "../metrics.js";
import { Card, Choice, Empty, ErrorBox, Heading } from "../ui.js";

const METRICS = [
  ["invocations", "Invocations", "Sum"], ["errors", "Errors", "Sum"], ["throttles", "Throttles", "Sum"],
  ["p50", "Duration", "p50"], ["p99", "Duration", "p99"], ["concurrency", "ConcurrentExecutions", "Maximum"],
];

export default function Overview({ session }) {
  const [range, setRange] = useState("1h");
  const [, length, period] = RANGES[range];
  const metrics = useData((signal) => loadMetrics(METRICS, { length, period, signal }), [range], { every: 15000 });
  const account = useData((signal) => aws("lambda", "GetAccountSettings", {}, { signal }), [], { every: 15000 });
  const environments = useData(loadEnvironments, [], { every: 5000 });
  return html`<${Heading} title="Overview">
      <${Choice} label="Range" value=${range} onChange=${setRange}
        options=${Object.entries(RANGES).map(([key, [text]]) => [key, text])} />
    <//>
    <${ErrorBox} error=${metrics.error ?? account.error} retry=${metrics.reload} />
    <${Tiles} metrics=${metrics.data} account=${account.data} environments=${environments.data} range=${RANGES[range][0]} />
    <${Charts} metrics=${metrics.data} />
    ${account.data?.AccountUsage?.FunctionCount === 0 && html`<${Card}><${Empty} title="There are no functions yet.">
      <p>Deploy one from a directory:</p>
      <pre class="code">lambent init hello --template python${"\n"}lambent deploy hello</pre><//><//>`}`;
}

function Tiles({ metrics, account, environments, range }) {
  const sum = (values) => values?.reduce((total, value) => total + (value ?? 0), 0);
  const invocations = sum(metrics?.invocations);
  const errors = sum(metrics?.errors);
  const share = invocations ? `${number((errors / invocations) * 100)} % of invocations` : "";
  const throttles = sum(metrics?.throttles);
  const running = environments?.environments;
  const limit = account?.AccountLimit?.ConcurrentExecutions;
  const tiles = [
    ["Functions", number(account?.AccountUsage?.FunctionCount), account && `${bytes(account.AccountUsage?.TotalCodeSize)} of code`],
    ["Invocations", number(invocations), `in ${range}`],
    ["Errors", number(errors), share, errors > 0],
    ["Throttles", number(throttles), `in ${range}`, throttles > 0],
    ["Duration p50", milliseconds(recent(metrics?.p50)), "most recent"],
    ["Duration p99", milliseconds(recent(metrics?.p99)), "most recent"],
    ["Concurrency", number(recent(metrics?.concurrency)), limit && `limit ${number(limit)}`],
    running && ["Environments", number(running.length), `${running.filter((each) => each.state === "busy").length} busy`],
  ].filter(Boolean);
  return html`<dl class="tiles">${tiles.map(([name, value, note, bad]) => html`
    <div key=${name} class=${bad ? "tile bad" : "tile"}><dt>${name}</dt><dd>${value}<div class="note">${note}</div></dd></div>`)}</dl>`;
}

function recent(values) {
  return values?.findLast((value) => value !== null);
}

function Charts({ metrics }) {
  const groups = useMemo(() => [
    ["Invocations", number, [["Invocations", "invocations", "--chart-1"]]],
    ["Errors and throttles", number, [["Errors", "errors", "--chart-2"], ["Throttles", "throttles", "--chart-4"]]],
    ["Duration", milliseconds, [["p50", "p50", "--chart-3"], ["p99", "p99", "--chart-1"]]],
    ["Concurrent executions", number, [["Maximum", "concurrency", "--chart-1"]]],
  ].map(([title, format, series]) => ({
    title, format,
    series: series.map(([label, key, color]) => ({ label, color, values: metrics?.[key] ?? [] })),
  })), [metrics]);
  const times = metrics?.times ?? [];
  return html`<div class="grid">${groups.map(({ title, format, series }) => html`<${Card} key=${title}>
    <${Chart} title=${title} times=${times} series=${series} format=${format} /><//>`)}</div>`;
}
