/** Shows the server's own OpenAPI document. */

const $ = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const api = await (await fetch("/openapi.json")).json();

/** A schema with its references followed, as an indented outline; `seen` stops recursion. */
function outline(schema, indent = "", seen = []) {
  if (schema === undefined) return "anything";
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return seen.includes(name) ? name : outline(api.components.schemas[name], indent, [...seen, name]);
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((choice) => outline(choice, indent, seen)).join(" | ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `[${outline(schema.items, indent, seen)}, …]`;
  if (schema.properties) {
    const inner = `${indent}  `;
    const lines = Object.entries(schema.properties).map(([key, value]) => {
      const optional = schema.required?.includes(key) ? "" : "?";
      const comment = value.description ? `  // ${value.description}` : "";
      return `${inner}${key}${optional}: ${outline(value, inner, seen)}${comment}`;
    });
    return `{\n${lines.join("\n")}\n${indent}}`;
  }
  if (schema.additionalProperties) {
    return `{ name: ${outline(schema.additionalProperties, indent, seen)}, … }`;
  }
  return [schema.type ?? "anything"].flat().join(" | ");
}

function describe(method, path, operation) {
  const inside = element("div", { className: "inside" });
  if (operation.description) inside.append(element("p", { textContent: operation.description }));
  if (operation.parameters?.length) {
    inside.append(
      element("h4", { textContent: "Parameters" }),
      terms(operation.parameters.map((parameter) => [
        parameter.name,
        `${parameter.in}${parameter.required ? ", required" : ""}. ${
          parameter.description ?? parameter.schema?.description ?? ""
        }`,
      ])),
    );
  }
  for (const [type, { schema }] of Object.entries(operation.requestBody?.content ?? {})) {
    inside.append(
      element("h4", { textContent: `Body: ${type}` }),
      element("pre", { textContent: outline(schema) }),
    );
  }
  for (const [status, response] of Object.entries(operation.responses)) {
    if (Number(status) >= 400) continue;
    inside.append(element("h4", { textContent: `${status}: ${response.description}` }));
    for (const { schema } of Object.values(response.content ?? {})) {
      inside.append(element("pre", { textContent: outline(schema) }));
    }
  }
  const errors = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
  if (errors.length > 0) {
    inside.append(
      element("h4", { textContent: "Failures" }),
      terms(errors.map(([status, { description }]) => [status, description])),
    );
  }
  const summary = element(
    "summary",
    {},
    element("span", { className: "method", textContent: method.toUpperCase() }),
    element("code", { textContent: path }),
    element("span", { className: "quiet", textContent: operation.summary }),
  );
  return element("details", { className: "operation" }, summary, inside);
}

function terms(entries) {
  return element(
    "dl",
    {},
    ...entries.flatMap(([term, text]) => [
      element("dt", {}, element("code", { textContent: term })),
      element("dd", { textContent: text }),
    ]),
  );
}

$("title").textContent = api.info.title;
$("description").textContent = `${api.info.description} Version ${api.info.version}.`;
$("example").textContent = `curl -F image=@photo.jpg ${location.origin}/predict`;
const groups = new Map();
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const tag = operation.tags?.[0] ?? "Other";
    groups.set(tag, [...groups.get(tag) ?? [], describe(method, path, operation)]);
  }
}
for (const [tag, operations] of groups) {
  $("docs").append(element("h2", { className: "eyebrow", textContent: tag }), ...operations);
}
