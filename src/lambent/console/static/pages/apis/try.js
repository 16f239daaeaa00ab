// Tries an API: TestInvokeMethod of REST APIs, and for HTTP APIs a request at the path that the platform gives them.
import { html, useState } from "../../lib.js";
import { aws, raw } from "../../api.js";
import { milliseconds, pretty } from "../../format.js";
import { parseRoute, useAction } from "../../hooks.js";
import { plain } from "../../log_lines.js";
import { Badge, Card, Empty, ErrorBox, Facts, Field } from "../../ui.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const BODY_MAX = 200_000;

export function TryIt({ kind, id, api }) {
  const routes = api.routes.filter((route) => route.path.startsWith("/") || route.path === "$default");
  const wanted = parseRoute(location.hash).query.route;
  const first = routes.find((route) => route.key === wanted) ?? routes[0];
  const [given, setGiven] = useState({
    route: first?.key, ...startOf(first), headers: "", body: "", stage: api.stages[0]?.name,
  });
  const [answer, setAnswer] = useState(null);
  const send = useAction(async () => {
    setAnswer(null);
    const headers = headersOf(given.headers);
    setAnswer(await (kind === "rest" ? testMethod : request)(id, api, { ...given, headers }));
  });
  if (!routes.length) return html`<${Card}><${Empty} title="There is no route to try.">Add a route with a path first.<//><//>`;
  if (kind === "http" && !api.stages.length) return html`<${Card}><${Empty} title="There is no stage to try.">Create a stage first, such as <code>$default</code>.<//><//>`;
  const change = (more) => setGiven({ ...given, ...more });
  const hasBody = !["GET", "HEAD"].includes(given.method);
  return html`<${Card}>
      <form class="form" onSubmit=${(event) => { event.preventDefault(); send.run(); }}>
        <${Field} label="Route" wide>${(props) => html`<select ...${props} value=${given.route}
          onChange=${(event) => { const route = routes.find((each) => each.key === event.target.value); change({ route: route.key, ...startOf(route) }); }}>
          ${routes.map((route) => html`<option key=${route.key} value=${route.key}>${route.method} ${route.path}</option>`)}</select>`}<//>
        <${Field} label="Method" wide>${(props) => html`<select ...${props} value=${given.method} onChange=${(event) => change({ method: event.target.value })}>
          ${METHODS.map((name) => html`<option key=${name}>${name}</option>`)}</select>`}<//>
        ${kind === "http" && html`<${Field} label="Stage" wide>${(props) => html`<select ...${props} value=${given.stage} onChange=${(event) => change({ stage: event.target.value })}>
          ${api.stages.map((stage) => html`<option key=${stage.name}>${stage.name}</option>`)}</select>`}<//>`}
        <div class="full"><${Field} label="Path" hint="With values for parameters and a query: /pets/1?kind=cat" wide>${(props) => html`<input ...${props} class="mono" required pattern="/.*" title="Begins with /"
          value=${given.path} spellcheck=${false} onInput=${(event) => change({ path: event.target.value })} />`}<//></div>
        <div class="full"><${Field} label="Headers" hint="One a line: Name: value. Authorization and Cookie are not sent." wide>${(props) => html`<textarea ...${props} class="mono short" rows="2" spellcheck=${false}
          value=${given.headers} onInput=${(event) => change({ headers: event.target.value })}></textarea>`}<//></div>
        ${hasBody && html`<div class="full"><${Field} label="Body" wide>${(props) => html`<textarea ...${props} class="mono short" rows="4" spellcheck=${false}
          value=${given.body} onInput=${(event) => change({ body: event.target.value })}></textarea>`}<//></div>`}
        <div class="actions full"><button class="primary" type="submit" disabled=${send.busy} aria-busy=${send.busy}>Send</button></div>
      </form>
    <//>
    <${ErrorBox} error=${send.error} />
    ${answer && html`<${Answer} answer=${answer} />`}`;
}

function startOf(route) {
  if (!route) return { method: "GET", path: "/" };
  const path = route.path === "$default" ? "/" : route.path;
  return { method: METHODS.includes(route.method) ? route.method : "GET", path };
}

// Throws an error that names the line that is none.
export function headersOf(text) {
  const headers = {};
  for (const line of text.split("\n").map((each) => each.trim()).filter(Boolean)) {
    const at = line.indexOf(":");
    const name = line.slice(0, at).trim();
    if (at < 1 || !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) throw new Error(`Not a header: ${line.slice(0, 100)}. Write Name: value.`);
    headers[name] = line.slice(at + 1).trim();
  }
  return headers;
}

async function testMethod(id, api, { route, method, path, headers, body }) {
  const { resourceId, method: own } = api.routes.find((each) => each.key === route);
  const found = await aws("apigateway", "TestInvokeMethod", {
    restApiId: id, resourceId, httpMethod: own === "ANY" ? method : own, pathWithQueryString: path, headers, body,
  });
  const several = Object.entries(found.multiValueHeaders ?? {}).flatMap(([name, values]) => values.map((value) => [name, value]));
  return { status: found.status, latency: found.latency, headers: several.length ? several : Object.entries(found.headers ?? {}), body: found.body ?? "", log: found.log };
}

async function request(id, _, { stage, method, path, headers, body }) {
  const began = performance.now();
  const prefix = stage === "$default" ? "" : `/${encodeURIComponent(stage)}`;
  const response = await raw("lambda", `/_lambent/api/${encodeURIComponent(id)}${prefix}${path}`, {
    method, headers, ...(!["GET", "HEAD"].includes(method) && body && { body }),
  });
  const text = await response.text();
  const shown = JSON.parse(response.headers.get("x-lambent-headers") ?? "null");
  return { status: shown?.status ?? response.status, latency: performance.now() - began, headers: shown?.headers ?? [...response.headers], body: text };
}

function Answer({ answer }) {
  const body = plain(pretty(answer.body.slice(0, BODY_MAX)));
  return html`<${Card} title="Response" actions=${html`<${Badge} tone=${answer.status < 400 ? "good" : "bad"}>${answer.status}<//><span class="muted">${milliseconds(answer.latency)}</span>`}>
    <div role="status" class="visually-hidden">Status ${answer.status}</div>
    ${answer.body ? html`<pre class="code" tabindex="0" aria-label="Body">${body}</pre>` : html`<p class="muted">The response has no body.</p>`}
    <details class="spaced"><summary>${answer.headers.length} headers</summary><${Facts} items=${answer.headers.map(([name, value]) => [name, plain(value)])} /></details>
    ${answer.log && html`<details class="spaced"><summary>Log</summary><pre class="code" tabindex="0" aria-label="Log">${plain(answer.log)}</pre></details>`}
  <//>`;
}
