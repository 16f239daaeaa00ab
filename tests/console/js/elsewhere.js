// A page of another origin that tries to use the console.
(async () => {
  const base = BASE;
  const found = [];
  for (const [path, options] of [
    ["api/lambda/ListFunctions", {method: "POST", body: "{}"}],
    ["api/lambda/ListFunctions", {method: "POST", body: "{}", headers: {"X-Lambent-Console": "none"}}],
    ["session", {credentials: "include"}], ["", {}], ["static/app.js", {}],
  ]) {
    try { found.push((await fetch(base + path, options)).status); } catch { found.push("refused"); }
  }
  const image = new Image();
  image.onerror = () => { document.body.append(found.join(" ") + " image refused done"); };
  image.onload = () => { document.body.append("image loaded done"); };
  image.src = base + "static/icon.svg";
  const frame = document.createElement("iframe");
  frame.src = base;
  document.body.append(frame);
})();
