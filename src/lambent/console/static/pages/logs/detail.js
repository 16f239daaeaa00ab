// One log line: its fields, where it is from, and ways on from there.
import { html, useState } from "../../lib.js";
import { bytes } from "../../format.js";
import { link } from "../../hooks.js";
import { clock, fieldsOf, patternOf, plain, requestOf, traceOf } from "../../log_lines.js";
import { Badge, Button, Facts, Time } from "../../ui.js";

const CHARS_MAX = 64_000;

export function LineDetail({ line, onClose, onPattern }) {
  const [copied, setCopied] = useState(false);
  const request = requestOf(line.message);
  const trace = traceOf(line.message);
  const fields = fieldsOf(line.message);
  const copy = async () => {
    await navigator.clipboard.writeText(line.message);
    setCopied(true);
  };
  return html`<section class="line-detail" aria-label="Log line">
    <div class="card-head"><h2>${clock(line.at)}${line.level && html` <${Badge} tone=${TONES[line.level]}>${line.level}<//>`}</h2>
      <div class="actions">
        ${navigator.clipboard && html`<${Button} kind="small" onClick=${copy}>${copied ? "Copied" : "Copy"}<//>`}
        <${Button} kind="small" onClick=${onClose}>Close<//>
      </div>
    </div>
    <${Facts} items=${[
      ["Time", html`<${Time} at=${line.at / 1000} />`],
      ["Log group", html`<a href=${link(["logs", line.group])}>${line.group}</a>`],
      ["Log stream", html`<a href=${link(["logs", line.group], { stream: line.stream })}><code>${line.stream}</code></a>`],
      request && ["Request", html`<a href=${link(["logs"], { view: "request", id: request })}><code>${request}</code></a>`],
      trace && ["Trace", html`<a href=${link(["traces", trace])}><code>${trace}</code></a>`],
    ]} />
    ${fields ? html`<${Fields} fields=${fields} onPattern=${onPattern} />` : html`<${Text} message=${line.message} />`}
  </section>`;
}

const TONES = { error: "bad", fatal: "bad", warn: "warn", info: "info" };

function Fields({ fields, onPattern }) {
  return html`<table class="fields" aria-label="Fields"><tbody>${fields.map(([path, value]) => {
    const pattern = patternOf(path, value);
    const text = plain(typeof value === "string" ? value : JSON.stringify(value)).slice(0, CHARS_MAX);
    return html`<tr key=${path}><th scope="row"><code>${plain(path.replace(/^\$\.?/, ""))}</code></th>
      <td><code class=${typeof value}>${text}</code>
        ${pattern && onPattern && html`<button class="plain small" type="button" aria-label=${`Only lines with ${path}`} title=${pattern}
          onClick=${() => onPattern(pattern)}>filter</button>`}</td></tr>`;
  })}</tbody></table>`;
}

function Text({ message }) {
  return html`<pre class="code" tabindex="0" aria-label="Message">${plain(message.slice(0, CHARS_MAX))}</pre>
    ${message.length > CHARS_MAX && html`<p class="hint">The first ${bytes(CHARS_MAX)} of ${bytes(message.length)}. Copy takes all.</p>`}`;
}
