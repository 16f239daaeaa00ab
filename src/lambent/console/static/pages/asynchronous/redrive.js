// A queue of failed events: looked into, and sent to the function again.
import { html, useEffect, useRef, useState } from "../../lib.js";
import { parseArn } from "../../arns.js";
import { number, pretty } from "../../format.js";
import { link, useAction, useData } from "../../hooks.js";
import { plain } from "../../log_lines.js";
import { look, queueOf, redrive } from "../../redriving.js";
import { Button, Card, Confirm, Empty, ErrorBox, Loaded, Notice, Time } from "../../ui.js";

const EVENT_MAX = 20_000;

export function Redrive({ name, arn, kind }) {
  const queue = useData((signal) => queueOf(arn, signal), [arn], { every: 5000 });
  const title = `${kind === "destination" ? "Failed events" : "Dead letters"} in ${parseArn(arn).resource}`;
  return html`<${Card} title=${title}>
    <${Loaded} ...${queue} lines=${2}>${(data) => html`<${Content} name=${name} kind=${kind} queue=${data} reload=${queue.reload} />`}<//>
  <//>`;
}

function Content({ name, kind, queue, reload }) {
  const [asks, setAsks] = useState(0);
  const [progress, setProgress] = useState(null);
  const [messages, setMessages] = useState(null);
  const running = useRef(null);
  useEffect(() => () => running.current?.abort(), []);
  const peek = useAction(async () => setMessages(await look(queue.url)));
  const send = useAction(async (count) => {
    running.current = new AbortController();
    setMessages(null);
    setProgress({ sent: 0, skipped: 0 });
    try {
      await redrive({ url: queue.url, name, count, signal: running.current.signal, onProgress: setProgress });
    } finally {
      await reload();
    }
  });
  if (!queue.waiting && !queue.hidden && !progress) {
    return html`<${Empty} title="No event waits here.">Events that fail for good appear here, and can be sent again.<//>`;
  }
  return html`
    <${ErrorBox} error=${send.error ?? peek.error} />
    ${progress && html`<${Notice} kind=${send.busy ? "info" : "good"}>${number(progress.sent)} sent again${progress.skipped ? `, ${number(progress.skipped)} of other functions left in the queue` : ""}${send.busy ? " …" : "."}<//>`}
    <p>${number(queue.waiting)} wait${queue.hidden ? `, ${number(queue.hidden)} are being read` : ""}.</p>
    <div class="bar-above">
      ${send.busy ? html`<${Button} onClick=${() => running.current.abort()}>Stop<//>` : html`
        <${Button} busy=${peek.busy} disabled=${!queue.waiting} onClick=${peek.run}>Look at the first<//>
        <${Button} disabled=${!queue.waiting} onClick=${() => send.run(1)}>Send one again<//>
        <${Button} kind="primary" disabled=${!queue.waiting} onClick=${() => setAsks(queue.waiting)}>Send all again<//>`}
    </div>
    ${messages && html`<${Messages} messages=${messages} />`}
    ${asks > 0 && html`<${Confirm} title=${`Send ${number(asks)} events to ${name} again?`} action="Send" onClose=${(yes) => { setAsks(0); if (yes) send.run(asks); }}>
      <p>Each is deleted from the queue once the platform has accepted it. An event that fails again comes back.</p>
      ${kind === "dead letters" && html`<p>Dead letters do not name their function: if others use this queue too, their events are sent to ${name} as well.</p>`}<//>`}`;
}

function Messages({ messages }) {
  if (!messages.length) return html`<p class="muted">No message can be received right now.</p>`;
  return html`<ul class="messages">${messages.map((message) => html`<li key=${message.id}><details>
    <summary><${Time} at=${message.sentAt} relative /> ${message.function && html`<strong>${message.function.name}</strong>`} ${plain(message.error ?? "").slice(0, 300)}</summary>
    ${message.requestId && html`<p><a href=${link(["logs"], { view: "request", id: message.requestId })}>Log of the request</a></p>`}
    <pre class="code" tabindex="0" aria-label="Event">${plain(pretty(message.event.slice(0, EVENT_MAX)))}</pre>
  </details></li>`)}</ul>`;
}
