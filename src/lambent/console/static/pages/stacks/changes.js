// The change sets of a stack: what they would do, and doing it.
import { html, useState } from "../../lib.js";
import { aws, awsAll } from "../../api.js";
import { useAction, useData } from "../../hooks.js";
import { Badge, Button, Card, Confirm, Empty, ErrorBox, Loaded, Table, Time } from "../../ui.js";

const TONES = { Add: "good", Modify: "info", Remove: "bad", Import: "info", Dynamic: "warn" };

export function ChangeSets({ stack }) {
  const [asked, setAsked] = useState(null);
  const [shown, setShown] = useState(null);
  const found = useData((signal) => awsAll("cloudformation", "ListChangeSets", { StackName: stack.StackId }, { items: "Summaries", token: "NextToken", signal }),
    [stack.StackId, stack.StackStatus], { every: 5000 });
  const act = useAction(async ({ ChangeSetId }, operation) => {
    await aws("cloudformation", operation, { ChangeSetName: ChangeSetId });
    setShown(null);
    await found.reload();
  });
  const columns = [
    { title: "Change set", main: true, cell: (row) => html`<button type="button" class="plain link" aria-expanded=${shown === row.ChangeSetId}
      onClick=${() => setShown(shown === row.ChangeSetId ? null : row.ChangeSetId)}>${row.ChangeSetName}</button>` },
    { title: "Status", cell: (row) => html`<${Badge} tone=${row.Status === "FAILED" ? "bad" : row.ExecutionStatus === "AVAILABLE" ? "good" : "calm"}>${row.ExecutionStatus === "AVAILABLE" ? "AVAILABLE" : row.Status}<//>` },
    { title: "Reason", minor: true, main: true, cell: (row) => row.StatusReason ?? row.Description ?? "–" },
    { title: "Created", minor: true, cell: (row) => html`<${Time} at=${row.CreationTime} relative />` },
    { title: "Actions", numeric: true, cell: (row) => html`<span class="actions end-row">
      <${Button} kind="small" disabled=${row.ExecutionStatus !== "AVAILABLE"} busy=${act.busy} aria-label=${`Execute ${row.ChangeSetName}`} onClick=${() => setAsked([row, "ExecuteChangeSet"])}>Execute<//>
      <${Button} kind="small minor" busy=${act.busy} aria-label=${`Delete ${row.ChangeSetName}`} onClick=${() => setAsked([row, "DeleteChangeSet"])}>Delete<//></span>` },
  ];
  return html`<${ErrorBox} error=${act.error} />
    <${Loaded} ...${found} lines=${4}>${(data) => (data.length ? html`
      <${Card} flush><${Table} label="Change sets" columns=${columns} rows=${data} keyOf=${(row) => row.ChangeSetId} /><//>`
      : html`<${Card}><${Empty} title="There are no change sets.">
        <p>See what an update would do before it is done:</p>
        <pre class="code">aws cloudformation create-change-set --stack-name ${stack.StackName} --change-set-name NAME --template-body file://template.yaml</pre><//><//>`)}<//>
    ${shown && html`<${Changes} key=${shown} id=${shown} />`}
    ${asked && html`<${Confirm} title=${`${asked[1] === "ExecuteChangeSet" ? "Execute" : "Delete"} ${asked[0].ChangeSetName}?`} action=${asked[1] === "ExecuteChangeSet" ? "Execute" : "Delete"}
      onClose=${(yes) => { const [set, operation] = asked; setAsked(null); if (yes) act.run(set, operation); }}>
      ${asked[1] === "ExecuteChangeSet" ? "The stack is changed. Other change sets of the stack are deleted." : "The stack stays as it is."}<//>`}`;
}

function Changes({ id }) {
  const found = useData((signal) => awsAll("cloudformation", "DescribeChangeSet", { ChangeSetName: id }, { items: "Changes", token: "NextToken", signal }), [id]);
  const columns = [
    { title: "Action", cell: (row) => html`<${Badge} tone=${TONES[row.Action]}>${row.Action}<//>` },
    { title: "Resource", main: true, cell: (row) => row.LogicalResourceId },
    { title: "Type", minor: true, cell: (row) => row.ResourceType },
    { title: "Replaced", cell: (row) => (row.Replacement ? html`<${Badge} tone=${row.Replacement === "True" ? "warn" : "calm"}>${row.Replacement}<//>` : "–") },
    { title: "Because of", minor: true, main: true, cell: (row) => [...new Set((row.Details ?? []).map((each) => each.Target?.Name ?? each.Target?.Attribute).filter(Boolean))].join(", ") || "–" },
  ];
  return html`<${Loaded} ...${found} lines=${3}>${(data) => html`<${Card} title="Changes" flush>
    ${data.length ? html`<${Table} label="Changes" columns=${columns} rows=${data.map((each) => each.ResourceChange)} keyOf=${(row) => row.LogicalResourceId} />`
      : html`<${Empty} title="It changes nothing."><//>`}<//>`}<//>`;
}
