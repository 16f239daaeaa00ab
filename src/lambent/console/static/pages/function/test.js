// Calls a function with an event, and shows what comes of it.
import { html, useEffect, useState } from "../../lib.js";
import { milliseconds, pretty } from "../../format.js";
import { link, useAction } from "../../hooks.js";
import { load, save as remember } from "../../storage.js";
import { Badge, Button, Card, Choice, Code, Empty, ErrorBox, Facts, Field } from "../../ui.js";
import { invoke } from "./invoke.js";

const FIRST = "{}";
let samples;

function loadSamples() {
  samples ??= fetch(new URL("../../samples.json", import.meta.url)).then((response) => response.json());
  return samples;
}

export function Test({ name, route }) {
  const key = `events.${name}`;
  const [event, setEvent] = useState(load(`event.${name}`, FIRST));
  const [saved, setSaved] = useState(load(key, {}));
  const [type, setType] = useState("RequestResponse");
  const [qualifier, setQualifier] = useState(route.query.qualifier ?? "");
  const [result, setResult] = useState(null);
  const call = useAction(async () => {
    JSON.parse(event);
    remember(`event.${name}`, event);
    setResult(null);
    setResult(await invoke(name, event, { qualifier, type }));
  });
  const change = (next) => {
    setSaved(next);
    remember(key, next);
  };
  const problem = call.error instanceof SyntaxError ? { code: "The event is not JSON", message: call.error.message } : call.error;
  return html`<div class="split">
    <${Card} title="Event" actions=${html`<${Events} saved=${saved} event=${event} onChoose=${setEvent} onChange=${change} />`}>
      <textarea aria-label="Event" spellcheck=${false} rows="14" value=${event} onInput=${(given) => setEvent(given.target.value)}
        onKeyDown=${(given) => given.key === "Enter" && (given.ctrlKey || given.metaKey) && call.run()}></textarea>
      <div class="actions below">
        <${Button} kind="primary" busy=${call.busy} onClick=${call.run}>Invoke<//>
        <${Choice} label="Type" value=${type} onChange=${setType} options=${[["RequestResponse", "Wait"], ["Event", "Queue"]]} />
        <input class="short" aria-label="Version or alias" placeholder="$LATEST" spellcheck=${false} value=${qualifier}
          onInput=${(given) => setQualifier(given.target.value.trim())} />
        <${Button} kind="plain" onClick=${() => setEvent(pretty(event))}>Format<//>
      </div>
    <//>
    <div aria-live="polite">
      <${ErrorBox} error=${problem} />
      ${result ? html`<${Result} result=${result} />` : !problem && html`<${Card} title="Response">
        <${Empty} title=${call.busy ? "The function runs." : "Nothing was called yet."}>
          ${call.busy ? "" : html`Invoke sends the event. <kbd>Ctrl</kbd> + <kbd>Enter</kbd> does, too.`}<//><//>`}
    </div>
  </div>`;
}

function Events({ saved, event, onChoose, onChange }) {
  const [kinds, setKinds] = useState({});
  const [name, setName] = useState(null);
  useEffect(() => {
    loadSamples().then(setKinds, () => {});
  }, []);
  const choose = (given) => {
    const [group, key] = given.target.value.split(/:(.*)/s);
    if (group === "saved") onChoose(saved[key]);
    if (group === "sample") onChoose(JSON.stringify(kinds[key], null, 2));
    if (group === "delete") onChange(Object.fromEntries(Object.entries(saved).filter(([each]) => each !== key)));
    given.target.value = "";
  };
  const keep = (given) => {
    given.preventDefault();
    if (name.trim()) onChange({ ...saved, [name.trim().slice(0, 60)]: event });
    setName(null);
  };
  if (name !== null) {
    return html`<form class="actions" onSubmit=${keep}><input class="short" aria-label="Name of the event" placeholder="Name" value=${name}
        ref=${(element) => element && element !== document.activeElement && name === "" && element.focus()}
        onInput=${(given) => setName(given.target.value)} />
      <button class="small">Save</button><${Button} kind="small plain" onClick=${() => setName(null)}>Cancel<//></form>`;
  }
  const own = Object.keys(saved).sort();
  return html`<select aria-label="Events" onChange=${choose} value="">
      <option value="" disabled>Events…</option>
      ${own.length > 0 && html`<optgroup label="Saved">${own.map((key) => html`<option key=${key} value=${`saved:${key}`}>${key}</option>`)}</optgroup>`}
      <optgroup label="Samples">${Object.keys(kinds).map((key) => html`<option key=${key} value=${`sample:${key}`}>${key}</option>`)}</optgroup>
      ${own.length > 0 && html`<optgroup label="Delete">${own.map((key) => html`<option key=${key} value=${`delete:${key}`}>Delete ${key}</option>`)}</optgroup>`}
    </select>
    <${Button} kind="small" onClick=${() => setName("")}>Save<//>`;
}

function Result({ result }) {
  const { report } = result;
  if (result.status === 202) {
    return html`<${Card} title="Response" actions=${html`<${Badge} tone="info">Queued<//>`}>
      <p>The event is stored and will be handed to the function.</p><p class="muted">Request ID <code>${result.requestId}</code></p><//>`;
  }
  return html`<${Card} title="Response" actions=${html`<${Badge} tone=${result.error ? "bad" : "good"}>${result.error ? "Failed" : "Succeeded"}<//>`}>
      <${Code}>${pretty(result.payload)}<//>
      ${report && html`<${Split} report=${report} />`}
      <${Facts} items=${[
        ["Duration", milliseconds(report?.duration)], ["Billed", milliseconds(report?.billed)],
        ["Memory", report && `${report.used} of ${report.memory} MB`], ["Round trip", milliseconds(Math.round(result.tookMs))],
        ["Version", result.version], ["Request ID", html`<code>${result.requestId}</code>`, true],
      ]} />
      <div class="actions below">
        <a href=${link(["logs"], { view: "request", id: result.requestId })}>Logs of this request</a>
        ${result.traceId && html`<a href=${link(["traces", result.traceId])}>Trace</a>`}
      </div>
    <//>
    <${Card} title="Log"><${Code}>${result.log || "The function has logged nothing."}<//><//>`;
}

// How long a call took, by phase: a bar whose parts are init or restore, and the handler.
function Split({ report }) {
  const phases = [
    ["Init", report.init, "--chart-4"], ["Restore", report.restore, "--chart-4"], ["Handler", report.duration, "--chart-1"],
  ].filter(([, value]) => value !== undefined);
  const total = phases.reduce((sum, [, value]) => sum + value, 0) || 1;
  return html`<div class="phases" role="img" aria-label=${phases.map(([text, value]) => `${text} ${milliseconds(value)}`).join(", ")}>
    <div class="phase-bar">${phases.map(([text, value, color]) => html`<i key=${text}
      style=${{ flexGrow: Math.max(value / total, 0.01), background: `var(${color})` }}></i>`)}</div>
    <div class="legend">${phases.map(([text, value, color]) => html`<span key=${text}><i style=${{ background: `var(${color})` }}></i>
      ${text} ${milliseconds(value)}</span>`)}</div>
  </div>`;
}
