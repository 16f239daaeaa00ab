// One function.
import { html, useState } from "../lib.js";
import { aws } from "../api.js";
import { link, useAction, useData } from "../hooks.js";
import { Badge, Button, Confirm, ErrorBox, Heading, Loaded, Tabs } from "../ui.js";
import { Code } from "./function/code.js";
import { Configuration } from "./function/configuration.js";
import { Monitor } from "./function/monitor.js";
import { Test } from "./function/test.js";
import { Triggers } from "./function/triggers.js";
import { Versions } from "./function/versions.js";

const TABS = [
  ["test", "Invoke", Test], ["code", "Code", Code], ["configuration", "Configuration", Configuration],
  ["triggers", "Triggers", Triggers], ["versions", "Versions", Versions], ["monitor", "Monitor", Monitor],
];

export default function Detail({ name, route }) {
  const tab = TABS.find(([key]) => key === route.parts[2]) ?? TABS[0];
  const [asks, setAsks] = useState(false);
  const found = useData((signal) => aws("lambda", "GetFunction", { FunctionName: name }, { signal }), [name], { every: 10000 });
  const remove = useAction(async () => {
    await aws("lambda", "DeleteFunction", { FunctionName: name });
    location.hash = "#/functions";
  });
  const Content = tab[2];
  return html`<${Heading} title=${name} trail=${[["Functions", "#/functions"]]}>
      ${found.data && html`<${Badge}>${found.data.Configuration.State}<//>
        <a class="button" href=${link(["logs", found.data.Configuration.LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`])}>Logs</a>
        <${Button} kind="danger" busy=${remove.busy} onClick=${() => setAsks(true)}>Delete<//>`}
    <//>
    <${ErrorBox} error=${remove.error} />
    <${Tabs} label="Function" tabs=${TABS} current=${tab[0]} href=${(key) => link(["functions", name, key])} />
    <${Loaded} ...${found} lines=${6}>${(data) => html`<${Content} name=${name} found=${data} reload=${found.reload} route=${route} />`}<//>
    ${asks && html`<${Confirm} title=${`Delete ${name}?`} action="Delete" onClose=${(yes) => { setAsks(false); if (yes) remove.run(); }}>
      Its versions, aliases and triggers are deleted with it. Its logs stay.<//>`}`;
}
