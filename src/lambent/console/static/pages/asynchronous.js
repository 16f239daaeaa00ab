// Asynchronous calls: what waits, for all functions or one.
import { html, useMemo, useState } from "../lib.js";
import { awsAll, page } from "../api.js";
import { shortArn } from "../arns.js";
import { number, seconds } from "../format.js";
import { link, useData } from "../hooks.js";
import { Card, Empty, Heading, Loaded, Table } from "../ui.js";
import { AsynchronousDetail } from "./asynchronous/detail.js";

export default function Asynchronous({ route }) {
  const name = route.parts[1];
  return name ? html`<${AsynchronousDetail} key=${name} name=${name} />` : html`<${List} />`;
}

async function loadAll(signal) {
  const [{ queues }, functions] = await Promise.all([
    page("/_lambent/queues", { signal }),
    awsAll("lambda", "ListFunctions", { MaxItems: 50 }, { items: "Functions", token: ["Marker", "NextMarker"], signal }),
  ]);
  const depths = new Map(queues.map((each) => [each.function, each]));
  const rows = functions.map((each) => ({
    name: each.FunctionName, target: each.DeadLetterConfig?.TargetArn, due: 0, later: 0, in_flight: 0, oldest_age_s: null,
    ...depths.get(each.FunctionName),
  }));
  return rows.sort((one, other) => waitingOf(other) - waitingOf(one) || one.name.localeCompare(other.name));
}

const waitingOf = (row) => row.due + row.later + row.in_flight;

const COLUMNS = [
  { title: "Function", main: true, cell: (row) => html`<a href=${link(["asynchronous", row.name])}>${row.name}</a>` },
  { title: "Due now", numeric: true, cell: (row) => number(row.due) },
  { title: "Due later", numeric: true, cell: (row) => number(row.later) },
  { title: "In progress", minor: true, numeric: true, cell: (row) => number(row.in_flight) },
  { title: "Oldest", minor: true, numeric: true, cell: (row) => (row.oldest_age_s === null ? "–" : seconds(row.oldest_age_s)) },
  { title: "Dead letters", minor: true, cell: (row) => (row.target ? shortArn(row.target) : "–") },
];

function List() {
  const [search, setSearch] = useState("");
  const found = useData(loadAll, [], { every: 5000 });
  const shown = useMemo(() => (found.data ?? []).filter((row) => row.name.toLowerCase().includes(search.toLowerCase())), [found.data, search]);
  const sum = (key) => number(found.data.reduce((total, row) => total + row[key], 0));
  return html`<${Heading} title="Asynchronous calls">
      <input type="search" aria-label="Search functions" placeholder="Search functions" value=${search} onInput=${(event) => setSearch(event.target.value)} />
    <//>
    <${Loaded} ...${found} lines=${6}>${(data) => (data.length ? html`
      <dl class="tiles">
        <div class="tile"><dt>Due now</dt><dd>${sum("due")}</dd></div>
        <div class="tile"><dt>Due later</dt><dd>${sum("later")}</dd></div>
        <div class="tile"><dt>In progress</dt><dd>${sum("in_flight")}</dd></div>
      </dl>
      <${Card} flush><${Table} label="Functions" columns=${COLUMNS} rows=${shown} keyOf=${(row) => row.name} />
        ${shown.length === 0 && html`<${Empty} title="No function matches.">Change the search.<//>`}<//>`
      : html`<${Card}><${Empty} title="There are no functions in this Region yet.">
        <p>Deploy one, and send it an event:</p><pre class="code">lambent deploy DIRECTORY${"\n"}aws lambda invoke --invocation-type Event --function-name NAME out</pre><//><//>`)}<//>`;
}
