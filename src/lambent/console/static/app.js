// The frame of all pages: sign-in, navigation, and the page of the address.
import { html, render, useEffect, useState } from "./lib.js";
import { chooseRegion, currentRegion, describeSession, onMissingNodes, onSignedOut, signIn, signOut } from "./api.js";
import { useAction, useRoute } from "./hooks.js";
import { PAGES, pageOf } from "./pages.js";
import { load, save } from "./storage.js";
import { Button, ErrorBox, Field, Loading, MissingNodes } from "./ui.js";

const REGIONS = [
  "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1",
  "eu-west-2", "eu-west-3", "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "sa-east-1",
];

function App() {
  const [session, setSession] = useState(undefined);
  const [problem, setProblem] = useState(null);
  const look = async () => {
    try {
      setSession(await describeSession());
    } catch (error) {
      setProblem(error);
    }
  };
  useEffect(() => {
    takeLink().catch(setProblem).then(look);
    return onSignedOut((error) => {
      setProblem(error);
      setSession(null);
    });
  }, []);
  if (session === undefined) {
    return problem
      ? html`<main class="sign-in"><${ErrorBox} error=${problem} retry=${() => location.reload()} /></main>`
      : html`<main class="sign-in"><${Loading} lines=${2} /></main>`;
  }
  if (session === null) {
    return html`<${SignIn} problem=${problem} onDone=${() => { setProblem(null); look(); }} />`;
  }
  return html`<${Frame} session=${session} onSignOut=${async () => { await signOut(); setProblem(null); setSession(null); }} />`;
}

// A link of `lambent open` signs in once. Its code must not stay in the address.
async function takeLink() {
  const found = /^#sign-in=([\w-]{1,128})$/.exec(location.hash);
  if (!found) return;
  history.replaceState(null, "", "#/");
  await signIn({ link: found[1] });
}

function SignIn({ problem, onDone }) {
  const [given, setGiven] = useState({ accessKeyId: "", secretAccessKey: "", sessionToken: "" });
  const { run, busy, error } = useAction(async () => {
    await signIn(given);
    onDone();
  });
  const input = (name, more) => (props) => html`<input ...${props} ...${more} value=${given[name]}
    onInput=${(event) => setGiven({ ...given, [name]: event.target.value.trim() })} />`;
  useEffect(() => {
    document.title = "Sign in · Lambent";
  }, []);
  return html`<main class="sign-in">
    <form class="card" onSubmit=${(event) => { event.preventDefault(); run(); }}>
      <div class="brand"><img src="static/icon.svg" alt="" width="32" height="32" /><h1>Lambent</h1></div>
      <p class="muted">Sign in with an access key of this platform. <code>lambent open</code> on its machine signs in
        without one.</p>
      <${ErrorBox} error=${error ?? problem} />
      <${Field} label="Access key ID" wide>${input("accessKeyId", { autocomplete: "username", required: true, spellcheck: false })}<//>
      <${Field} label="Secret access key" wide>${input("secretAccessKey", { type: "password", autocomplete: "current-password", required: true })}<//>
      <details><summary>Temporary credentials</summary>
        <${Field} label="Session token" wide>${input("sessionToken", { type: "password", autocomplete: "off" })}<//>
      </details>
      <button class="primary" type="submit" disabled=${busy} aria-busy=${busy}>Sign in</button>
    </form>
  </main>`;
}

function Frame({ session, onSignOut }) {
  const route = useRoute();
  const [open, setOpen] = useState(false);
  const [missing, setMissing] = useState([]);
  useEffect(() => onMissingNodes(setMissing), []);
  useEffect(() => setMissing([]), [route.parts[0]]);
  const region = currentRegion() ?? session.region;
  useEffect(() => {
    setOpen(false);
    document.querySelector("main")?.scrollTo(0, 0);
  }, [route.parts.join("/")]);
  const known = REGIONS.includes(region) ? REGIONS : [region, ...REGIONS];
  return html`<div class="frame">
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.querySelector("main h1")?.focus(); }}>Skip to content</a>
    <header class="bar">
      <button class="plain menu" type="button" aria-expanded=${open} aria-controls="navigation" aria-label="Menu"
        onClick=${() => setOpen(!open)}><span aria-hidden="true">☰</span></button>
      <a class="brand" href="#/" aria-label="Lambent"><img src="static/icon.svg" alt="" width="24" height="24" /><span>Lambent</span></a>
      <div class="actions">
        <select aria-label="Region" value=${region} onChange=${(event) => { chooseRegion(event.target.value); location.reload(); }}>
          ${known.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
        </select>
        <${ThemeSwitch} />
        ${session.mode === "strict" && html`<${Button} kind="plain" title=${session.arn} onClick=${onSignOut}>Sign out<//>`}
      </div>
    </header>
    <nav id="navigation" class=${open ? "side open" : "side"} aria-label="Pages">
      <ul>${PAGES.filter((page) => page.title).map((page) => html`<li key=${page.path}>
        <a href=${`#/${page.path}`} aria-current=${page.path === (route.parts[0] ?? "") ? "page" : undefined}>${page.title}</a></li>`)}</ul>
      <p class="about"><span>Account ${session.account}</span><span>Version ${session.version}</span></p>
    </nav>
    <main id="main"><${MissingNodes} nodes=${missing} /><${Page} route=${route} session=${session} /></main>
  </div>`;
}

// Loads the module of a page when it is first shown.
function Page({ route, session }) {
  const page = pageOf(route);
  const [loaded, setLoaded] = useState({});
  const [error, setError] = useState(null);
  useEffect(() => {
    setError(null);
    if (loaded[page.path]) return;
    page.load().then((module) => setLoaded((old) => ({ ...old, [page.path]: module.default })), setError);
  }, [page.path]);
  const Content = loaded[page.path];
  if (error) return html`<${ErrorBox} error=${error} retry=${() => location.reload()} />`;
  if (!Content) return html`<${Loading} lines=${5} />`;
  return html`<${Content} key=${page.path} route=${route} session=${session} />`;
}

const NEXT = { system: "light", light: "dark", dark: "system" };

function ThemeSwitch() {
  const [theme, setTheme] = useState(load("theme-choice", "system"));
  const change = () => {
    const next = NEXT[theme];
    setTheme(next);
    save("theme-choice", next);
    const root = document.documentElement;
    try {
      if (next === "system") localStorage.removeItem("lambent.theme");
      else localStorage.setItem("lambent.theme", next);
    } catch {
      // See storage.js.
    }
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
  };
  const signs = { system: "◐", light: "☀", dark: "☾" };
  return html`<button class="plain" type="button" title=${`Theme: ${theme}`} aria-label=${`Theme: ${theme}`} onClick=${change}>
    <span aria-hidden="true">${signs[theme]}</span></button>`;
}

render(html`<${App} />`, document.getElementById("app"));
