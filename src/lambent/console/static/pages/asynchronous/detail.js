// The queue of one function: what waits, how events are retried, and where those go that fail.
import { html, useState } from "../../lib.js";
import { aws, page } from "../../api.js";
import { shortArn } from "../../arns.js";
import { number, seconds } from "../../format.js";
import { link, useAction, useData } from "../../hooks.js";
import { Button, Card, Confirm, ErrorBox, Facts, Heading, Loaded, Notice } from "../../ui.js";
import { InvokeConfig } from "./config.js";
import { Redrive } from "./redrive.js";

export function AsynchronousDetail({ name }) {
  const queue = useData(async (signal) => (await page(`/_lambent/queues/${encodeURIComponent(name)}`, { signal })).queues[0], [name], { every: 3000 });
  const settings = useData(async (signal) => {
    const [configuration, configs] = await Promise.all([
      aws("lambda", "GetFunctionConfiguration", { FunctionName: name }, { signal }),
      aws("lambda", "ListFunctionEventInvokeConfigs", { FunctionName: name, MaxItems: 50 }, { signal }),
    ]);
    return { configuration, configs: configs.FunctionEventInvokeConfigs };
  }, [name]);
  return html`<${Heading} title=${name} trail=${[["Asynchronous calls", "#/asynchronous"]]}>
      <a class="button" href=${link(["functions", name])}>Function</a>
      <a class="button" href=${link(["logs", `/aws/lambda/${name}`])}>Logs</a>
    <//>
    <${Loaded} ...${queue} lines=${2}>${(data) => html`<${Queue} name=${name} queue=${data} reload=${queue.reload} />`}<//>
    <${Loaded} ...${settings} lines=${4}>${(data) => html`
      <${InvokeConfig} name=${name} configs=${data.configs} reload=${settings.reload} />
      <${DeadLetters} target=${data.configuration.DeadLetterConfig?.TargetArn} name=${name} reload=${settings.reload} />
      ${redrivable(data).map(([arn, kind]) => html`<${Redrive} key=${arn} name=${name} arn=${arn} kind=${kind} />`)}`}<//>`;
}

// The queues that may hold failed events of the function.
function redrivable({ configuration, configs }) {
  const found = new Map();
  const add = (arn, kind) => { if (/^arn:[\w-]+:sqs:/.test(arn ?? "")) found.set(arn, kind); };
  for (const config of configs) add(config.DestinationConfig?.OnFailure?.Destination, "destination");
  add(configuration.DeadLetterConfig?.TargetArn, "dead letters");
  return [...found];
}

function Queue({ name, queue, reload }) {
  const [asks, setAsks] = useState(false);
  const purge = useAction(async () => {
    const { purged } = await page(`/_lambent/queues/${encodeURIComponent(name)}`, { method: "DELETE" });
    await reload();
    return purged;
  });
  const [purged, setPurged] = useState(null);
  const waiting = queue.due + queue.later;
  return html`<dl class="tiles">
      <div class="tile"><dt>Due now</dt><dd>${number(queue.due)}<div class="note">waiting</div></dd></div>
      <div class="tile"><dt>Due later</dt><dd>${number(queue.later)}<div class="note">retries</div></dd></div>
      <div class="tile"><dt>In progress</dt><dd>${number(queue.in_flight)}<div class="note">running, or next</div></dd></div>
      <div class="tile"><dt>Oldest</dt><dd>${queue.oldest_age_s === null ? "–" : seconds(queue.oldest_age_s)}<div class="note">since it was accepted</div></dd></div>
    </dl>
    <${ErrorBox} error=${purge.error} />
    ${purged !== null && html`<${Notice}>${number(purged)} events were deleted.<//>`}
    <div class="bar-above"><${Button} kind="danger" busy=${purge.busy} disabled=${waiting === 0} onClick=${() => setAsks(true)}>Purge queue<//></div>
    ${asks && html`<${Confirm} title=${`Purge the queue of ${name}?`} action="Purge" onClose=${async (yes) => {
      setAsks(false);
      if (yes) setPurged((await purge.run()) ?? null);
    }}>${number(waiting)} events that wait are deleted. They do not go to a destination or a dead-letter queue. Events in progress go on.<//>`}`;
}

function DeadLetters({ name, target, reload }) {
  const [given, setGiven] = useState(null);
  const save = useAction(async () => {
    await aws("lambda", "UpdateFunctionConfiguration", { FunctionName: name, DeadLetterConfig: { TargetArn: given.trim() } });
    setGiven(null);
    await reload();
  });
  const actions = given === null && html`<${Button} kind="small" onClick=${() => setGiven(target ?? "")}>Edit<//>`;
  return html`<${Card} title="Dead-letter queue" actions=${actions}>
    <${ErrorBox} error=${save.error} />
    ${given === null ? html`<${Facts} items=${[["Target", target ? html`<span title=${target}>${shortArn(target)}</span>` : "none: events that fail are dropped unless there is a destination", true]]} />`
      : html`<form class="log-bar" onSubmit=${(event) => { event.preventDefault(); save.run(); }}>
        <input type="search" class="mono" aria-label="ARN of a queue or topic" placeholder="ARN of an SQS queue or SNS topic; empty for none" value=${given}
          spellcheck=${false} onInput=${(event) => setGiven(event.target.value)} />
        <button class="primary" type="submit" disabled=${save.busy}>Save</button>
        <${Button} onClick=${() => { save.clear(); setGiven(null); }}>Cancel<//>
      </form>`}
  <//>`;
}
