// A page of a function that tries to use the console.
(async () => {
  const found = [];
  const attempt = async (what, act) => {
    try { found.push(`${what} ${await act()}`); } catch (error) { found.push(`${what} refused`); }
  };
  const api = "/_lambent/console/api/lambda/ListFunctions";
  const headers = {"X-Lambent-Console": "none", "Content-Type": "application/json"};
  await attempt("origin", () => self.origin);
  await attempt("storage", () => localStorage.length);
  await attempt("cookie", () => document.cookie.length);
  await attempt("api", async () => (await fetch(api, {method: "POST", body: "{}", headers})).status);
  await attempt("page", async () => (await (await fetch("/_lambent/console/")).text()).length);
  await attempt("worker", async () => (await navigator.serviceWorker.register("?worker", {scope: "/"})).scope);
  await attempt("frame", () => new Promise((resolve, reject) => {
    const frame = document.createElement("iframe");
    frame.src = "/_lambent/console/";
    frame.onload = () => frame.contentDocument?.querySelector("#app") ? resolve("read") : reject();
    document.body.append(frame);
  }));
  await attempt("window", () => open("/_lambent/console/").document.body.innerHTML.length);
  document.body.append(found.join("; ") + "; done");
})();
