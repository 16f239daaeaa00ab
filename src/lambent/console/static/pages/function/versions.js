// Versions and aliases, with the weights of aliases.
import { html, useState } from "../../lib.js";
import { aws, awsAll } from "../../api.js";
import { bytes } from "../../format.js";
import { link, useAction, useData } from "../../hooks.js";
import { Button, Card, Confirm, Empty, ErrorBox, Field, Loaded, Table, Time } from "../../ui.js";

export function Versions({ name, reload }) {
  const loaded = useData(async (signal) => {
    const [versions, aliases] = await Promise.all([
      awsAll("lambda", "ListVersionsByFunction", { FunctionName: name }, { items: "Versions", token: ["Marker", "NextMarker"], signal }),
      awsAll("lambda", "ListAliases", { FunctionName: name }, { items: "Aliases", token: ["Marker", "NextMarker"], signal }),
    ]);
    const [latest, ...published] = versions;
    return { versions: [latest, ...published.reverse()], aliases };
  }, [name]);
  const changed = async () => {
    await loaded.reload();
    await reload();
  };
  return html`<${Loaded} ...${loaded} lines=${6}>${(data) => html`
    <${Aliases} name=${name} aliases=${data.aliases} versions=${data.versions} changed=${changed} />
    <${Published} name=${name} versions=${data.versions} changed=${changed} />`}<//>`;
}

function Aliases({ name, aliases, versions, changed }) {
  const [form, setForm] = useState(null);
  const [removing, setRemoving] = useState(null);
  const remove = useAction(async (alias) => {
    await aws("lambda", "DeleteAlias", { FunctionName: name, Name: alias });
    await changed();
  });
  const columns = [
    { title: "Alias", main: true, cell: (row) => html`<strong>${row.Name}</strong>` },
    { title: "Versions", cell: (row) => html`<${Weights} alias=${row} />` },
    { title: "Description", minor: true, main: true, cell: (row) => row.Description },
    { title: "Actions", numeric: true, cell: (row) => html`<a class="button small" href=${link(["functions", name, "test"], { qualifier: row.Name })}>Invoke</a>${" "}
      <${Button} kind="small" aria-label=${`Edit ${row.Name}`} onClick=${() => setForm(row)}>Edit<//>${" "}
      <${Button} kind="small danger" aria-label=${`Delete ${row.Name}`} onClick=${() => setRemoving(row.Name)}>Delete<//>` },
  ];
  return html`<${Card} title="Aliases" flush actions=${html`<${Button} kind="small" onClick=${() => setForm({})}>Create alias<//>`}>
    ${remove.error && html`<div class="pad"><${ErrorBox} error=${remove.error} /></div>`}
    ${form && html`<${AliasForm} key=${form.Name} name=${name} alias=${form} versions=${versions}
      onDone=${async (isChanged) => { setForm(null); if (isChanged) await changed(); }} />`}
    ${aliases.length ? html`<${Table} label="Aliases" columns=${columns} rows=${aliases} keyOf=${(row) => row.Name} />`
      : !form && html`<${Empty} title="There are no aliases.">An alias names a version, or two with weights, and can be moved at any time.<//>`}
    ${removing && html`<${Confirm} title=${`Delete the alias ${removing}?`} action="Delete"
      onClose=${(yes) => { setRemoving(null); if (yes) remove.run(removing); }}>Callers of the alias get an error then.<//>`}
  <//>`;
}

function weightsOf(alias) {
  const [second] = Object.entries(alias.RoutingConfig?.AdditionalVersionWeights ?? {});
  const share = second ? second[1] : 0;
  return [[alias.FunctionVersion, 1 - share], ...(second ? [[second[0], share]] : [])];
}

function Weights({ alias }) {
  return weightsOf(alias).map(([version, share]) => html`<span class="weight" key=${version}>
    <i style=${{ width: `${Math.round(share * 60)}px` }}></i>${version} · ${Math.round(share * 1000) / 10} %</span>`);
}

function AliasForm({ name, alias, versions, onDone }) {
  const isNew = !alias.Name;
  const [second] = Object.entries(alias.RoutingConfig?.AdditionalVersionWeights ?? {});
  const [given, setGiven] = useState({
    Name: alias.Name ?? "", Description: alias.Description ?? "",
    FunctionVersion: alias.FunctionVersion ?? (versions[1] ?? versions[0]).Version,
    other: second?.[0] ?? "", share: second ? second[1] * 100 : 10,
  });
  const save = useAction(async () => {
    const weights = given.other ? { [given.other]: Number(given.share) / 100 } : {};
    await aws("lambda", isNew ? "CreateAlias" : "UpdateAlias", {
      FunctionName: name, Name: given.Name, Description: given.Description, FunctionVersion: given.FunctionVersion,
      RoutingConfig: { AdditionalVersionWeights: weights }, ...(!isNew && { RevisionId: alias.RevisionId }),
    });
    await onDone(true);
  });
  const set = (member) => (event) => setGiven({ ...given, [member]: event.target.value });
  const options = versions.map((each) => html`<option key=${each.Version} value=${each.Version}>${each.Version}</option>`);
  return html`<form class="form pad" onSubmit=${(event) => { event.preventDefault(); save.run(); }}>
    <div class="full"><${ErrorBox} error=${save.error} /></div>
    <${Field} label="Name" wide>${(props) => html`<input ...${props} required spellcheck=${false} disabled=${!isNew} value=${given.Name} onInput=${set("Name")} />`}<//>
    <${Field} label="Version" wide>${(props) => html`<select ...${props} value=${given.FunctionVersion} onChange=${set("FunctionVersion")}>${options}</select>`}<//>
    <${Field} label="Second version" hint="For a part of the calls." wide>${(props) => html`<select ...${props} value=${given.other} onChange=${set("other")}>
      <option value="">None</option>${options}</select>`}<//>
    ${given.other && html`<${Field} label="Its share (%)" wide>${(props) => html`<input ...${props} type="number" min="0" max="100" step="0.1" value=${given.share} onInput=${set("share")} />`}<//>`}
    <${Field} label="Description" wide>${(props) => html`<input ...${props} maxlength="256" value=${given.Description} onInput=${set("Description")} />`}<//>
    <div class="actions full"><button class="primary" disabled=${save.busy}>Save</button><${Button} onClick=${() => onDone(false)}>Cancel<//></div>
  </form>`;
}

function Published({ name, versions, changed }) {
  const publish = useAction(async () => {
    await aws("lambda", "PublishVersion", { FunctionName: name });
    await changed();
  });
  const columns = [
    { title: "Version", main: true, cell: (row) => html`<strong>${row.Version}</strong>` },
    { title: "Runtime", minor: true, cell: (row) => row.Runtime ?? row.PackageType },
    { title: "Memory", minor: true, numeric: true, cell: (row) => `${row.MemorySize} MB` },
    { title: "Code", minor: true, numeric: true, cell: (row) => bytes(row.CodeSize) },
    { title: "Made", cell: (row) => html`<${Time} at=${row.LastModified} relative />` },
    { title: "Actions", numeric: true, cell: (row) => html`<a class="button small" href=${link(["functions", name, "test"], { qualifier: row.Version })}>Invoke</a>` },
  ];
  return html`<${Card} title="Versions" flush actions=${html`<${Button} kind="small" busy=${publish.busy} onClick=${publish.run}>Publish version<//>`}>
    ${publish.error && html`<div class="pad"><${ErrorBox} error=${publish.error} /></div>`}
    <${Table} label="Versions" columns=${columns} rows=${versions} keyOf=${(row) => row.Version} />
  <//>`;
}
