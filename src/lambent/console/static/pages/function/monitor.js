// The metrics of one function.
import { html, useState } from "../../lib.js";
import { Chart } from "../../chart.js";
import { milliseconds, number } from "../../format.js";
import { useData } from "../../hooks.js";
import { RANGES, loadMetrics } from "../../metrics.js";
import { Card, Choice, Loaded } from "../../ui.js";

const METRICS = [
  ["invocations", "Invocations", "Sum"], ["errors", "Errors", "Sum"], ["throttles", "Throttles", "Sum"],
  ["p50", "Duration", "p50"], ["p99", "Duration", "p99"], ["concurrency", "ConcurrentExecutions", "Maximum"],
  ["age", "AsyncEventAge", "Maximum"],
];

export function Monitor({ name }) {
  const [range, setRange] = useState("1h");
  const [, length, period] = RANGES[range];
  const loaded = useData((signal) => loadMetrics(METRICS, { length, period, signal, dimensions: { FunctionName: name } }),
    [name, range], { every: 15000 });
  return html`<div class="actions end above"><${Choice} label="Range" value=${range} onChange=${setRange}
      options=${Object.entries(RANGES).map(([key, [text]]) => [key, text])} /></div>
    <${Loaded} ...${loaded} lines=${8}>${(data) => html`<div class="grid">
      <${Card}><${Chart} title="Invocations" times=${data.times} format=${number} series=${[one("Invocations", data.invocations, 1)]} /><//>
      <${Card}><${Chart} title="Errors and throttles" times=${data.times} format=${number}
        series=${[one("Errors", data.errors, 2), one("Throttles", data.throttles, 4)]} /><//>
      <${Card}><${Chart} title="Duration" times=${data.times} format=${milliseconds} series=${[one("p50", data.p50, 3), one("p99", data.p99, 1)]} /><//>
      <${Card}><${Chart} title="Concurrent executions" times=${data.times} format=${number} series=${[one("Maximum", data.concurrency, 1)]} /><//>
      ${data.age.some((value) => value !== null) && html`<${Card}><${Chart} title="Age of queued events" times=${data.times}
        format=${milliseconds} series=${[one("Maximum", data.age, 4)]} /><//>`}
    </div>`}<//>`;
}

function one(label, values, color) {
  return { label, values, color: `--chart-${color}` };
}
