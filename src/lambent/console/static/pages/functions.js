// All functions, and the page of one.
import { html, useMemo, useState } from "../lib.js";
import { awsAll } from "../api.js";
import { bytes, number } from "../format.js";
import { link, useData } from "../hooks.js";
import { Badge, Card, Empty, ErrorBox, Heading, Loading, Table, Time } from "../ui.js";
import Detail from "./function.js";

export default function Functions({ route, session }) {
  const name = route.parts[1];
  return name ? html`<${Detail} key=${name} name=${name} route=${route} session=${session} />` : html`<${List} />`;
}

const COLUMNS = [
  { title: "Name", main: true, cell: (row) => html`<a href=${link(["functions", row.FunctionName])}>${row.FunctionName}</a>` },
  { title: "Runtime", cell: (row) => row.Runtime ?? row.PackageType },
  { title: "State", minor: true, cell: (row) => html`<${Badge}>${row.State ?? "Active"}<//>` },
  { title: "Memory", minor: true, numeric: true, cell: (row) => `${row.MemorySize} MB` },
  { title: "Timeout", minor: true, numeric: true, cell: (row) => `${row.Timeout} s` },
  { title: "Code", minor: true, numeric: true, cell: (row) => bytes(row.CodeSize) },
  { title: "Changed", minor: true, cell: (row) => html`<${Time} at=${row.LastModified} relative />` },
];

function List() {
  const [search, setSearch] = useState("");
  const { data, error, loading, reload } = useData(
    (signal, onPage) => awsAll("lambda", "ListFunctions", { MaxItems: 50 }, {
      items: "Functions", token: ["Marker", "NextMarker"], signal, onPage,
    }), [],
  );
  const shown = useMemo(() => matching(data ?? [], search), [data, search]);
  return html`<${Heading} title="Functions">
      <input type="search" placeholder="Search names, runtimes, descriptions" aria-label="Search functions"
        value=${search} onInput=${(event) => setSearch(event.target.value)} />
    <//>
    <${ErrorBox} error=${error} retry=${reload} />
    <${Card} flush>
      ${data === undefined && !error ? html`<${Loading} lines=${6} />` : null}
      ${data && data.length === 0 ? html`<${Nothing} />` : null}
      ${data && data.length > 0 && html`
        <${Table} label="Functions" columns=${COLUMNS} rows=${shown} keyOf=${(row) => row.FunctionName} />
        ${shown.length === 0 && html`<${Empty} title="No function matches.">Change the search.<//>`}`}
    <//>
    <p class="muted small-text" role="status">${data && `${number(shown.length)} of ${number(data.length)} functions${loading ? ", loading more" : ""}`}</p>`;
}

function Nothing() {
  return html`<${Empty} title="There are no functions in this Region yet.">
    <p>Deploy one from a directory:</p>
    <pre class="code">lambent init hello --template python${"\n"}lambent deploy hello</pre>
  <//>`;
}

export function matching(functions, search) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const sorted = [...functions].sort((one, other) => one.FunctionName.localeCompare(other.FunctionName));
  if (!words.length) return sorted;
  return sorted.filter((each) => {
    const text = `${each.FunctionName} ${each.Runtime ?? ""} ${each.Description ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
