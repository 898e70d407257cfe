// Shows /openapi.json, with a form for each route. Loads nothing from other hosts.
"use strict";

function element(name, text, parent) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function resolve(schema, api) {
  const name = schema && schema.$ref && schema.$ref.split("/").pop();
  return name ? api.components.schemas[name] : schema || {};
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  if (schema.type === "array") return "list of " + typeOf(schema.items || {});
  return schema.type || "";
}

function table(rows, parent) {
  const made = element("table", "", parent);
  for (const row of rows) {
    const line = element("tr", "", made);
    for (const cell of row) element("td", cell, line);
  }
}

function show(method, path, route, api, parent) {
  const box = element("details", "", parent);
  const head = element("summary", "", box);
  element("strong", `${method.toUpperCase()} ${path} `, head);
  element("span", route.description || "", head);
  const inputs = {};
  for (const one of route.parameters || []) {
    const label = element("label", `${one.name} (${typeOf(one.schema)})${one.required ? "" : ", optional"}`, box);
    inputs[one.name] = { where: one.in, field: element("input", "", label) };
  }
  let body = null;
  if (route.requestBody) {
    const schema = resolve(route.requestBody.content["application/json"].schema, api);
    table(Object.entries(schema.properties).map(([name, s]) => [name, typeOf(s), s.description || ""]), box);
    body = element("textarea", "", box);
    body.rows = 8;
    body.value = JSON.stringify((schema.examples || [{}])[0], null, 2);
  }
  const button = element("button", "Send", box);
  const answer = element("pre", "", box);
  button.onclick = async () => {
    let address = path;
    const query = new URLSearchParams();
    for (const [name, { where, field }] of Object.entries(inputs)) {
      if (where === "path") address = address.replace(`{${name}}`, encodeURIComponent(field.value));
      else if (field.value) query.append(name, field.value);
    }
    const headers = body ? { "Content-Type": "application/json" } : {};
    const key = document.getElementById("key").value;
    if (key) headers.Authorization = `Bearer ${key}`;
    const found = await fetch(address + (query.size ? `?${query}` : ""), { method, headers, body: body && body.value });
    const text = await found.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* metrics are not JSON */ }
    answer.textContent = `${found.status}\n${shown}`;
  };
}

fetch("/openapi.json").then((found) => found.json()).then((api) => {
  document.getElementById("about").textContent = `${api.info.description} Version ${api.info.version}.`;
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, route] of Object.entries(methods))
      show(method.toUpperCase(), path, route, api, document.getElementById("routes"));
});
