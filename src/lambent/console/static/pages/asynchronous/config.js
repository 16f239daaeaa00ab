// Retries, maximum age and destinations of a function, its versions and aliases.
import { html, useState } from "../../lib.js";
import { aws } from "../../api.js";
import { functionOf, shortArn } from "../../arns.js";
import { number, seconds } from "../../format.js";
import { useAction } from "../../hooks.js";
import { Button, Card, Confirm, ErrorBox, Field, Table } from "../../ui.js";

const RETRIES = 2;
const AGE_S = 21600;

export function InvokeConfig({ name, configs, reload }) {
  const [edited, setEdited] = useState(null);
  const [removed, setRemoved] = useState(null);
  const remove = useAction(async (qualifier) => {
    await aws("lambda", "DeleteFunctionEventInvokeConfig", { FunctionName: name, Qualifier: qualifier });
    await reload();
  });
  const rows = configs.map((config) => ({ ...config, qualifier: functionOf(config.FunctionArn)?.qualifier || "$LATEST" }));
  if (!rows.some((row) => row.qualifier === "$LATEST")) rows.unshift({ qualifier: "$LATEST", isDefault: true });
  const columns = [
    { title: "Qualifier", cell: (row) => html`<code>${row.qualifier}</code>` },
    { title: "Retries", numeric: true, cell: (row) => number(row.MaximumRetryAttempts ?? RETRIES) },
    { title: "Maximum age", numeric: true, minor: true, cell: (row) => seconds(row.MaximumEventAgeInSeconds ?? AGE_S) },
    { title: "On failure", main: true, cell: (row) => html`<${Destination} arn=${row.DestinationConfig?.OnFailure?.Destination} />` },
    { title: "On success", minor: true, main: true, cell: (row) => html`<${Destination} arn=${row.DestinationConfig?.OnSuccess?.Destination} />` },
    { title: "Actions", numeric: true, cell: (row) => html`<span class="actions end-row">
        <button type="button" class="small" onClick=${() => setEdited(row)}>Edit</button>
        ${!row.isDefault && html`<button type="button" class="small minor" onClick=${() => setRemoved(row)}>Reset</button>`}</span>` },
  ];
  return html`<${Card} title="Retries and destinations" flush>
    ${remove.error && html`<div class="pad"><${ErrorBox} error=${remove.error} /></div>`}
    ${edited ? html`<div class="pad"><${Editor} key=${edited.qualifier} name=${name} config=${edited} onDone=${async (isSaved) => { setEdited(null); if (isSaved) await reload(); }} /></div>`
      : html`<${Table} label="Retries and destinations" columns=${columns} rows=${rows} keyOf=${(row) => row.qualifier} />`}
    ${removed && html`<${Confirm} title=${`Reset ${removed.qualifier}?`} action="Reset" onClose=${(yes) => { const { qualifier } = removed; setRemoved(null); if (yes) remove.run(qualifier); }}>
      Its events are retried twice again, for up to six hours, and have no destinations.<//>`}
  <//>`;
}

function Destination({ arn }) {
  return arn ? html`<span title=${arn}>${shortArn(arn)}</span>` : "–";
}

function Editor({ name, config, onDone }) {
  const [given, setGiven] = useState({
    retries: config.MaximumRetryAttempts ?? RETRIES, age: config.MaximumEventAgeInSeconds ?? AGE_S,
    failure: config.DestinationConfig?.OnFailure?.Destination ?? "", success: config.DestinationConfig?.OnSuccess?.Destination ?? "",
  });
  const save = useAction(async () => {
    await aws("lambda", "PutFunctionEventInvokeConfig", {
      FunctionName: name, Qualifier: config.qualifier, MaximumRetryAttempts: Number(given.retries), MaximumEventAgeInSeconds: Number(given.age),
      DestinationConfig: {
        ...(given.failure.trim() && { OnFailure: { Destination: given.failure.trim() } }),
        ...(given.success.trim() && { OnSuccess: { Destination: given.success.trim() } }),
      },
    });
    onDone(true);
  });
  const input = (member, more) => (props) => html`<input ...${props} ...${more} value=${given[member]} onInput=${(event) => setGiven({ ...given, [member]: event.target.value })} />`;
  return html`<${ErrorBox} error=${save.error} />
    <form class="form" onSubmit=${(event) => { event.preventDefault(); save.run(); }}>
      <${Field} label="Retries" hint="0 to 2, after a failure of the function." wide>${input("retries", { type: "number", min: 0, max: 2, required: true })}<//>
      <${Field} label="Maximum age (s)" hint="60 to 21,600." wide>${input("age", { type: "number", min: 60, max: 21600, required: true })}<//>
      <${Field} label="On failure" hint="ARN of a queue, topic, event bus, bucket or function; may be empty." wide>${input("failure", { class: "mono", spellcheck: false })}<//>
      <${Field} label="On success" hint="ARN of a queue, topic, event bus or function; may be empty." wide>${input("success", { class: "mono", spellcheck: false })}<//>
      <div class="actions full"><button class="primary" type="submit" disabled=${save.busy}>Save</button><${Button} onClick=${() => onDone(false)}>Cancel<//></div>
    </form>`;
}
