// What a function is configured to do: read and changed.
import { html, useState } from "../../lib.js";
import { aws } from "../../api.js";
import { bytes } from "../../format.js";
import { useAction, useData } from "../../hooks.js";
import { Badge, Button, Card, Empty, ErrorBox, Facts, Field, Notice, Time } from "../../ui.js";

export function Configuration({ name, found, reload }) {
  const configuration = found.Configuration;
  return html`<${State} configuration=${configuration} />
    <${General} key=${`g${configuration.RevisionId}`} name=${name} configuration=${configuration} reload=${reload} />
    <${Variables} key=${`v${configuration.RevisionId}`} name=${name} configuration=${configuration} reload=${reload} />
    <${Concurrency} name=${name} found=${found} reload=${reload} />
    <${Tags} tags=${found.Tags ?? {}} />`;
}

// Why a function cannot be called, or what its last change has come to.
function State({ configuration: each }) {
  if (each.State === "Failed" || each.LastUpdateStatus === "Failed") {
    const code = each.StateReasonCode ?? each.LastUpdateStatusReasonCode;
    return html`<${ErrorBox} error=${{ code, message: each.StateReason ?? each.LastUpdateStatusReason }} />`;
  }
  if (each.State === "Pending" || each.LastUpdateStatus === "InProgress") {
    return html`<${Notice} kind="info">A change is being applied.<//>`;
  }
  return null;
}

function General({ name, configuration: each, reload }) {
  const [given, setGiven] = useState(null);
  const save = useAction(async () => {
    await aws("lambda", "UpdateFunctionConfiguration", {
      FunctionName: name, Description: given.Description, Handler: given.Handler || undefined,
      MemorySize: Number(given.MemorySize), Timeout: Number(given.Timeout), RevisionId: each.RevisionId,
    });
    setGiven(null);
    await reload();
  });
  if (given) {
    const input = (member, more) => (props) => html`<input ...${props} ...${more} value=${given[member]}
      onInput=${(event) => setGiven({ ...given, [member]: event.target.value })} />`;
    return html`<${Card} title="General">
      <${ErrorBox} error=${save.error} />
      <form class="form" onSubmit=${(event) => { event.preventDefault(); save.run(); }}>
        <${Field} label="Memory (MB)" hint="128 to 10,240; CPU grows with it." wide>${input("MemorySize", { type: "number", min: 128, max: 10240, required: true })}<//>
        <${Field} label="Timeout (s)" hint="1 to 900." wide>${input("Timeout", { type: "number", min: 1, max: 900, required: true })}<//>
        <${Field} label="Handler" wide>${input("Handler", { spellcheck: false })}<//>
        <${Field} label="Description" wide>${input("Description", { maxLength: 256 })}<//>
        <div class="actions full"><button class="primary" disabled=${save.busy}>Save</button>
          <${Button} onClick=${() => setGiven(null)}>Cancel<//></div>
      </form><//>`;
  }
  const edit = () => setGiven({
    Description: each.Description ?? "", Handler: each.Handler ?? "", MemorySize: each.MemorySize, Timeout: each.Timeout,
  });
  return html`<${Card} title="General" actions=${html`<${Button} kind="small" onClick=${edit}>Edit<//>`}>
    <${Facts} items=${[
      ["Description", each.Description || "–"], ["Runtime", each.Runtime ?? each.PackageType],
      ["Handler", html`<code>${each.Handler}</code>`], ["Memory", `${each.MemorySize} MB`],
      ["Timeout", `${each.Timeout} s`], ["Disk", `${each.EphemeralStorage?.Size ?? 512} MB`],
      ["Code", bytes(each.CodeSize)], ["Architecture", (each.Architectures ?? []).join(", ")],
      ["Logs", html`<code>${each.LoggingConfig?.LogGroup}</code>`], ["Tracing", each.TracingConfig?.Mode],
      each.SnapStart?.ApplyOn !== "None" && ["SnapStart", each.SnapStart?.ApplyOn],
      each.Layers?.length && ["Layers", each.Layers.map((layer) => html`<div><code>${layer.Arn}</code></div>`), true],
      ["Changed", html`<${Time} at=${each.LastModified} />`],
      ["Role", html`<code>${each.Role}</code>`, true], ["ARN", html`<code>${each.FunctionArn}</code>`, true],
    ]} /><//>`;
}

function Variables({ name, configuration: each, reload }) {
  const known = each.Environment?.Variables ?? {};
  const [shown, setShown] = useState(false);
  const [rows, setRows] = useState(null);
  const save = useAction(async () => {
    const variables = Object.fromEntries(rows.filter(([key]) => key.trim()).map(([key, value]) => [key.trim(), value]));
    await aws("lambda", "UpdateFunctionConfiguration", {
      FunctionName: name, Environment: { Variables: variables }, RevisionId: each.RevisionId,
    });
    setRows(null);
    await reload();
  });
  const problem = each.Environment?.Error;
  const actions = html`
    ${!rows && Object.keys(known).length > 0 && html`<${Button} kind="small" aria-pressed=${shown} onClick=${() => setShown(!shown)}>
      ${shown ? "Hide values" : "Show values"}<//>`}
    ${!rows && html`<${Button} kind="small" onClick=${() => setRows(Object.entries(known))}>Edit<//>`}`;
  return html`<${Card} title="Environment variables" actions=${actions}>
    <${ErrorBox} error=${save.error ?? (problem && { code: problem.ErrorCode, message: problem.Message })} />
    ${rows && html`<${VariableForm} rows=${rows} setRows=${setRows} save=${save} />`}
    ${!rows && (Object.keys(known).length
      ? html`<${Facts} items=${Object.entries(known).sort().map(([key, value]) => [key, html`<code>${shown ? value : "••••••••"}</code>`])} />`
      : html`<${Empty} title="There are no variables.">A function reads them from its environment. Values are hidden here until
          you show them.<//>`)}
  <//>`;
}

function VariableForm({ rows, setRows, save }) {
  const change = (at, part, value) => setRows(rows.map((row, n) => (n === at ? row.map((old, p) => (p === part ? value : old)) : row)));
  return html`<form class="pairs" onSubmit=${(event) => { event.preventDefault(); save.run(); }}>
    ${rows.map(([key, value], at) => html`<div class="pair" key=${at}>
      <input aria-label=${`Name ${at + 1}`} placeholder="NAME" spellcheck=${false} value=${key} onInput=${(event) => change(at, 0, event.target.value)} />
      <input aria-label=${`Value ${at + 1}`} placeholder="value" spellcheck=${false} value=${value} onInput=${(event) => change(at, 1, event.target.value)} />
      <${Button} kind="plain" aria-label=${`Remove ${key || at + 1}`} onClick=${() => setRows(rows.filter((_, n) => n !== at))}>✕<//>
    </div>`)}
    <div class="actions"><${Button} onClick=${() => setRows([...rows, ["", ""]])}>Add variable<//></div>
    <div class="actions"><button class="primary" disabled=${save.busy}>Save</button><${Button} onClick=${() => setRows(null)}>Cancel<//></div>
  </form>`;
}

function Concurrency({ name, found, reload }) {
  const reserved = found.Concurrency?.ReservedConcurrentExecutions;
  const [given, setGiven] = useState(null);
  const save = useAction(async () => {
    if (given === "") await aws("lambda", "DeleteFunctionConcurrency", { FunctionName: name });
    else await aws("lambda", "PutFunctionConcurrency", { FunctionName: name, ReservedConcurrentExecutions: Number(given) });
    setGiven(null);
    await reload();
  });
  const provisioned = useData((signal) =>
    aws("lambda", "ListProvisionedConcurrencyConfigs", { FunctionName: name }, { signal }), [name]);
  const actions = given === null && html`<${Button} kind="small" onClick=${() => setGiven(reserved ?? "")}>Edit<//>`;
  return html`<${Card} title="Concurrency" actions=${actions}>
    <${ErrorBox} error=${save.error ?? provisioned.error} />
    ${given === null
      ? html`<${Facts} items=${[
          ["Reserved", reserved ?? "None: it shares what the account has", reserved === undefined],
          ...(provisioned.data?.ProvisionedConcurrencyConfigs ?? []).map((each) => [
            `Provisioned: ${each.FunctionArn.split(":").pop()}`,
            html`${each.AvailableProvisionedConcurrentExecutions ?? 0} of ${each.RequestedProvisionedConcurrentExecutions} <${Badge}>${each.Status}<//>`,
          ]),
        ]} />`
      : html`<form class="form" onSubmit=${(event) => { event.preventDefault(); save.run(); }}>
          <${Field} label="Reserved concurrency" hint="Empty for none; 0 stops all calls." wide>${(props) =>
            html`<input ...${props} type="number" min="0" value=${given} onInput=${(event) => setGiven(event.target.value)} />`}<//>
          <div class="actions full"><button class="primary" disabled=${save.busy}>Save</button>
            <${Button} onClick=${() => setGiven(null)}>Cancel<//></div>
        </form>`}
  <//>`;
}

function Tags({ tags }) {
  if (!Object.keys(tags).length) return null;
  return html`<${Card} title="Tags"><${Facts} items=${Object.entries(tags).sort()} /><//>`;
}
