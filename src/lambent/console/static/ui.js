// Parts of all pages.
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "./lib.js";
import { localTime, relativeTime, utcTime } from "./format.js";

export function Heading({ title, children, trail }) {
  useEffect(() => {
    document.title = `${title} · Lambent`;
  }, [title]);
  return html`<header class="heading">
    <div>
      ${trail && html`<nav class="trail" aria-label="Breadcrumb">${trail.map(([text, href]) =>
        html`<a href=${href}>${text}</a><span aria-hidden="true">/</span>`)}</nav>`}
      <h1 tabindex="-1">${title}</h1>
    </div>
    <div class="actions">${children}</div>
  </header>`;
}

export function Card({ title, actions, children, flush = false, ...more }) {
  return html`<section class=${flush ? "card flush" : "card"} ...${more}>
    ${title && html`<div class="card-head"><h2>${title}</h2><div class="actions">${actions}</div></div>`}
    ${children}
  </section>`;
}

// An error with AWS's code and message.
export function ErrorBox({ error, retry }) {
  if (!error) return null;
  return html`<div class="message bad" role="alert">
    <div><strong>${error.code ?? "Error"}</strong><p>${error.message}</p></div>
    ${retry && html`<button class="small" onClick=${() => retry()}>Retry</button>`}
  </div>`;
}

export function Notice({ kind = "good", children }) {
  return html`<div class=${`message ${kind}`} role="status"><div>${children}</div></div>`;
}

// Nodes whose part of what is shown is missing.
export function MissingNodes({ nodes }) {
  if (!nodes?.length) return null;
  return html`<${Notice} kind="warn">${nodes.length === 1 ? "Node" : "Nodes"} ${nodes.join(", ")} ${
    nodes.length === 1 ? "does" : "do"} not answer: what only ${nodes.length === 1 ? "that node has" : "those nodes have"} is missing.<//>`;
}

// What is shown where there is nothing yet: what it would be, and how to get it.
export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p><div>${children}</div></div>`;
}

export function Code({ children }) {
  return html`<pre class="code" tabindex="0">${children}</pre>`;
}

// Lines of the size of what is loading.
export function Loading({ lines = 3 }) {
  return html`<div class="loading" role="status" aria-label="Loading">
    ${Array.from({ length: lines }, (_, at) => html`<span key=${at}></span>`)}
  </div>`;
}

// What a page shows of `useData`: lines while it loads, an error, or the children.
export function Loaded({ data, error, reload, lines, children }) {
  if (data === undefined) {
    return error ? html`<${ErrorBox} error=${error} retry=${reload} />` : html`<${Loading} lines=${lines} />`;
  }
  return html`<${ErrorBox} error=${error} retry=${reload} />${children(data)}`;
}

const TONES = {
  Active: "good", Successful: "good", Enabled: "good", idle: "good", ok: "good", Succeeded: "good",
  busy: "info", Pending: "info", InProgress: "info", starting: "info", Creating: "info", Enabling: "info",
  frozen: "calm", Inactive: "calm", Disabled: "calm",
  Failed: "bad", error: "bad", fail: "bad", warning: "warn", warn: "warn",
};

export function Badge({ children, tone }) {
  return html`<span class=${`badge ${tone ?? TONES[children] ?? "calm"}`}>${children}</span>`;
}

// A moment: relative or local, with UTC on hover.
export function Time({ at, relative = false }) {
  if (at === undefined || at === null) return "–";
  const text = relative ? relativeTime(at) : localTime(at);
  return html`<time title=${`${localTime(at)} · ${utcTime(at)}`}>${text}</time>`;
}

// Pairs of a name and a value; a third item that is true makes room for a long value.
export function Facts({ items }) {
  return html`<dl class="facts">${items.filter(Boolean).map(([name, value, isBroad]) =>
    html`<div key=${name} class=${isBroad ? "broad" : ""}><dt>${name}</dt><dd>${value ?? "–"}</dd></div>`)}</dl>`;
}

export function Tabs({ label, tabs, current, href }) {
  const bar = useRef(null);
  useEffect(() => {
    // On a phone not all of them are in sight.
    bar.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [current]);
  return html`<nav class="tabs" aria-label=${label} ref=${bar}>${tabs.map(([name, text]) =>
    html`<a key=${name} href=${href(name)} aria-current=${name === current ? "page" : undefined}>${text}</a>`)}</nav>`;
}

// A field with its label; `children` is called with the properties of the control.
export function Field({ label, hint, children, wide = false }) {
  const id = useId();
  return html`<div class=${wide ? "field wide" : "field"}>
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": hint ? `${id}-hint` : undefined })}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}

export function Button({ busy = false, kind = "", children, ...more }) {
  return html`<button class=${kind} type="button" aria-busy=${busy} disabled=${busy || more.disabled} ...${more}>
    ${children}</button>`;
}

// A choice of few: buttons in a row, of which one is pressed.
export function Choice({ label, options, value, onChange }) {
  return html`<div class="choice" role="group" aria-label=${label}>${options.map(([key, text]) =>
    html`<button key=${key} type="button" aria-pressed=${key === value} onClick=${() => onChange(key)}>${text}</button>`)}</div>`;
}

// Asks before something is done that cannot be undone. `onClose(true)` if it is confirmed.
export function Confirm({ title, children, action, onClose }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} aria-label=${title} onClose=${() => onClose(false)}>
    <h2>${title}</h2>
    <div>${children}</div>
    <div class="actions end">
      <button type="button" onClick=${() => onClose(false)}>Cancel</button>
      <button type="button" class="danger" onClick=${() => onClose(true)}>${action}</button>
    </div>
  </dialog>`;
}

// A table. `columns` are [{name, title, cell: (row) => …, minor, numeric}]: minor columns are left out on
// narrow screens. Of long tables only the rows in sight are in the document.
const ROW = 44;
const SPARE = 12;

export function Table({ label, columns, rows, keyOf, tall = false }) {
  const box = useRef(null);
  const [range, setRange] = useState([0, 40]);
  const isLong = rows.length > 100;
  useLayoutEffect(() => {
    const element = box.current;
    if (!isLong || !element) return undefined;
    const measure = () => {
      const first = Math.max(0, Math.floor(element.scrollTop / ROW) - SPARE);
      const last = first + Math.ceil(element.clientHeight / ROW) + 2 * SPARE;
      setRange((old) => (old[0] === first && old[1] === last ? old : [first, last]));
    };
    measure();
    element.addEventListener("scroll", measure, { passive: true });
    addEventListener("resize", measure);
    return () => {
      element.removeEventListener("scroll", measure);
      removeEventListener("resize", measure);
    };
  }, [isLong, rows.length]);
  const first = isLong ? Math.min(range[0], Math.max(0, rows.length - 1)) : 0;
  const last = isLong ? Math.min(range[1], rows.length) : rows.length;
  const classes = (column) =>
    [column.minor && "minor", column.numeric && "numeric", column.main && "main"].filter(Boolean).join(" ");
  return html`<div class=${isLong || tall ? "table long" : "table"} ref=${box} tabindex=${isLong ? 0 : undefined}
      role=${isLong ? "region" : undefined} aria-label=${isLong ? label : undefined}>
    <table aria-label=${label} aria-rowcount=${rows.length + 1}>
      <thead><tr>${columns.map((column) =>
        html`<th key=${column.title} scope="col" class=${classes(column)}>${column.title}</th>`)}</tr></thead>
      <tbody>
        ${first > 0 && html`<tr key="above" aria-hidden="true" class="space"><td colspan=${columns.length}
          style=${{ height: `${first * ROW}px` }}></td></tr>`}
        ${rows.slice(first, last).map((row, at) => html`<tr key=${keyOf(row)} aria-rowindex=${first + at + 2}>
          ${columns.map((column) => html`<td key=${column.title} class=${classes(column)}>${column.cell(row)}</td>`)}
        </tr>`)}
        ${last < rows.length && html`<tr key="below" aria-hidden="true" class="space"><td colspan=${columns.length}
          style=${{ height: `${(rows.length - last) * ROW}px` }}></td></tr>`}
      </tbody>
    </table>
  </div>`;
}
