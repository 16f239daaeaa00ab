// One stack.
import { html, useState } from "../../lib.js";
import { aws, awsAll } from "../../api.js";
import { link, useAction, useData } from "../../hooks.js";
import { Badge, Button, Card, Code, Confirm, Empty, ErrorBox, Facts, Heading, Loaded, Notice, Table, Tabs, Time } from "../../ui.js";
import { ChangeSets } from "./changes.js";
import { Resources } from "./resources.js";

const TABS = [["overview", "Overview"], ["resources", "Resources"], ["events", "Events"], ["changes", "Change sets"], ["template", "Template"]];

// The color of a status of stacks and resources.
export function Status({ status }) {
  const tone = /FAILED|ROLLBACK/.test(status) ? "bad" : /IN_PROGRESS/.test(status) ? "info" : /DELETE_(COMPLETE|SKIPPED)|REVIEW/.test(status) ? "calm" : "good";
  return html`<${Badge} tone=${tone}>${status}<//>`;
}

export function StackDetail({ name, tab }) {
  const current = TABS.find(([key]) => key === tab)?.[0] ?? "overview";
  const [asks, setAsks] = useState(false);
  const found = useData(async (signal) => (await aws("cloudformation", "DescribeStacks", { StackName: name }, { signal })).Stacks[0], [name], { every: 3000 });
  const remove = useAction(async () => {
    await aws("cloudformation", "DeleteStack", { StackName: name });
    await found.reload();
  });
  const isGone = found.error?.code === "ValidationError" && remove.done;
  const Content = { overview: Overview, resources: Resources, events: Events, changes: ChangeSets, template: Template }[current];
  return html`<${Heading} title=${name} trail=${[["Stacks", "#/stacks"]]}>
      ${found.data && !isGone && html`<${Status} status=${found.data.StackStatus} />
        <${Button} kind="danger" busy=${remove.busy} disabled=${found.data.EnableTerminationProtection || found.data.StackStatus === "DELETE_IN_PROGRESS"}
          title=${found.data.EnableTerminationProtection ? "Termination protection is on" : ""} onClick=${() => setAsks(true)}>Delete<//>`}
    <//>
    <${ErrorBox} error=${remove.error} />
    ${isGone ? html`<${Notice}>The stack was deleted. <a href="#/stacks">All stacks</a><//>` : html`
      <${Tabs} label="Stack" tabs=${TABS} current=${current} href=${(key) => link(["stacks", name, key])} />
      <${Loaded} ...${found} lines=${6}>${(data) => html`<${Content} name=${name} stack=${data} />`}<//>`}
    ${asks && html`<${Confirm} title=${`Delete the stack ${name}?`} action="Delete" onClose=${(yes) => { setAsks(false); if (yes) remove.run(); }}>
      All its resources are deleted with it, also their data, except those that the template retains.<//>`}`;
}

function Overview({ stack }) {
  const outputs = [
    { title: "Output", cell: (row) => row.OutputKey },
    { title: "Value", main: true, cell: (row) => (/^https?:\/\/\S+$/.test(row.OutputValue)
      ? html`<a href=${row.OutputValue} target="_blank" rel="noopener noreferrer">${row.OutputValue}</a>` : html`<code>${row.OutputValue}</code>`) },
    { title: "Export", minor: true, cell: (row) => row.ExportName ?? "–" },
    { title: "Description", minor: true, main: true, cell: (row) => row.Description ?? "–" },
  ];
  const parameters = [
    { title: "Parameter", cell: (row) => row.ParameterKey },
    { title: "Value", main: true, cell: (row) => html`<code>${row.ResolvedValue ?? row.ParameterValue}</code>` },
  ];
  return html`${stack.StackStatusReason && html`<${Notice} kind=${/FAILED|ROLLBACK/.test(stack.StackStatus) ? "bad" : "info"}>${stack.StackStatusReason}<//>`}
    <${Card} title="Stack"><${Facts} items=${[
      ["Description", stack.Description || "–"], ["Created", html`<${Time} at=${stack.CreationTime} />`],
      ["Changed", html`<${Time} at=${stack.LastUpdatedTime} />`], ["Capabilities", stack.Capabilities?.join(", ")],
      ["Termination protection", stack.EnableTerminationProtection ? "on" : "off"], ["Role", stack.RoleARN],
      ["Tags", stack.Tags?.map((tag) => `${tag.Key}=${tag.Value}`).join(", ") || "–"], ["ID", html`<code>${stack.StackId}</code>`, true],
    ]} /><//>
    ${stack.Outputs?.length > 0 && html`<${Card} title="Outputs" flush><${Table} label="Outputs" columns=${outputs} rows=${stack.Outputs} keyOf=${(row) => row.OutputKey} /><//>`}
    ${stack.Parameters?.length > 0 && html`<${Card} title="Parameters" flush><${Table} label="Parameters" columns=${parameters} rows=${stack.Parameters} keyOf=${(row) => row.ParameterKey} /><//>`}`;
}

function Events({ stack }) {
  const found = useData((signal) => awsAll("cloudformation", "DescribeStackEvents", { StackName: stack.StackId }, { items: "StackEvents", token: "NextToken", signal, max: 2000 }),
    [stack.StackId, stack.StackStatus], { every: 3000 });
  const columns = [
    { title: "Time", cell: (row) => html`<${Time} at=${row.Timestamp} />` },
    { title: "Resource", main: true, cell: (row) => row.LogicalResourceId },
    { title: "Status", cell: (row) => html`<${Status} status=${row.ResourceStatus} />` },
    { title: "Type", minor: true, cell: (row) => row.ResourceType },
    { title: "Reason", minor: true, main: true, cell: (row) => html`<span title=${row.ResourceStatusReason}>${row.ResourceStatusReason ?? ""}</span>` },
  ];
  return html`<${Loaded} ...${found} lines=${6}>${(data) => {
    const failed = data.findLast((each) => /FAILED$/.test(each.ResourceStatus) && !/cancelled/i.test(each.ResourceStatusReason ?? ""));
    return html`${failed && html`<${ErrorBox} error=${{ code: `${failed.LogicalResourceId}: ${failed.ResourceStatus}`, message: failed.ResourceStatusReason ?? "" }} />`}
      <${Card} flush><${Table} label="Events" columns=${columns} rows=${data} keyOf=${(row) => row.EventId} /><//>`;
  }}<//>`;
}

function Template({ stack }) {
  const found = useData(async (signal) => (await aws("cloudformation", "GetTemplate", { StackName: stack.StackId }, { signal })).TemplateBody, [stack.StackId, stack.LastUpdatedTime]);
  return html`<${Loaded} ...${found} lines=${8}>${(text) => (text ? html`<${Code}>${typeof text === "string" ? text : JSON.stringify(text, null, 2)}<//>`
    : html`<${Card}><${Empty} title="This stack has no template."><//><//>`)}<//>`;
}
