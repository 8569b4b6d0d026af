// The formatting of a text that is being written. As in Telegram, marks around a text format it: **bold**, __italic__,
// ~~struck~~, ||hidden||, `code`, ```pre```, [link](https://…), and "> " before the lines of a quote.

import { byId } from "./page.js";

const field = byId("text");
const SPANS =
  /```(?:([a-z]+)\n)?([^]+?)```|`([^`\n]+)`|\*\*(?=\S)([^]+?)\*\*|__(?=\S)([^]+?)__|~~(?=\S)([^]+?)~~|\|\|(?=\S)([^]+?)\|\||\[([^\]\n]+)\]\((https?:\/\/[^)\s]+)\)/;
const MARKS = { bold: "**", italic: "__", strikethrough: "~~", spoiler: "||", code: "`" };

// Return the text without the marks, and its entities.
export function parseMarks(source) {
  const result = { text: "", entities: [] };
  source.split(/(```[^]+?```)/).forEach((part, index) => {
    if (index % 2) addSpans(result, part);
    else addLines(result, part);
  });
  return result;
}

function addLines(result, source) {
  for (const part of source.split(/((?:^> .*(?:\n|$))+)/m)) {
    if (!part.startsWith("> ")) addSpans(result, part);
    else addQuote(result, part);
  }
}

function addQuote(result, part) {
  const end = part.endsWith("\n") ? "\n" : "";
  add(result, { type: "blockquote" }, () => addSpans(result, part.replace(/\n$/, "").replace(/^> /gm, "")));
  result.text += end;
}

function addSpans(result, source) {
  const match = source.match(SPANS);
  if (!match) {
    result.text += source;
    return;
  }
  const [whole, language, pre, code, bold, italic, struck, hidden, label, url] = match;
  result.text += source.slice(0, match.index);
  const literal = pre ?? code;
  const entity =
    (pre !== undefined && { type: "pre", ...(language && { language }) }) ||
    (code !== undefined && { type: "code" }) ||
    (bold !== undefined && { type: "bold" }) ||
    (italic !== undefined && { type: "italic" }) ||
    (struck !== undefined && { type: "strikethrough" }) ||
    (hidden !== undefined && { type: "spoiler" }) ||
    { type: "text_link", url };
  add(result, entity, () => {
    if (literal !== undefined) result.text += literal;
    else addSpans(result, bold ?? italic ?? struck ?? hidden ?? label);
  });
  addSpans(result, source.slice(match.index + whole.length));
}

function add(result, entity, addText) {
  const offset = result.text.length; // UTF-16 units, as Telegram counts
  addText();
  result.entities.push({ ...entity, offset, length: result.text.length - offset });
}

// Return a text with marks instead of its entities, to edit it.
export function toMarks({ text, entities }) {
  const insertions = []; // [offset, order, mark]
  for (const entity of entities) {
    if (entity.type.endsWith("blockquote")) {
      const quoted = text.slice(entity.offset, entity.offset + entity.length);
      for (const { index } of quoted.matchAll(/^/gm)) insertions.push([entity.offset + index, -1e5, "> "]);
      continue;
    }
    const [before, after] = marksOf(entity);
    if (!before) continue; // a link or a command, which Telegram finds again
    insertions.push([entity.offset, -entity.length, before], [entity.offset + entity.length, -1e6 + entity.length, after]);
  }
  insertions.sort((a, b) => b[0] - a[0] || b[1] - a[1]);
  return insertions.reduce((all, [offset, , mark]) => all.slice(0, offset) + mark + all.slice(offset), text);
}

function marksOf(entity) {
  if (entity.type === "pre") return [`\`\`\`${entity.language ? `${entity.language}\n` : ""}`, "```"];
  if (entity.type === "text_link") return ["[", `](${entity.url})`];
  const mark = MARKS[entity.type];
  return [mark, mark];
}

// The toolbar and its shortcuts

const SHORTCUTS = { KeyB: "bold", KeyI: "italic", KeyK: "link" };
const SHIFT_SHORTCUTS = { KeyX: "strikethrough", KeyM: "code", KeyP: "spoiler", Period: "quote" };

export function setUpFormatting() {
  const toolbar = byId("format");
  byId("format-button").onclick = () => {
    toolbar.hidden = !toolbar.hidden;
    byId("format-button").setAttribute("aria-expanded", !toolbar.hidden);
    field.focus();
  };
  toolbar.onclick = ({ target }) => {
    const button = target.closest("button");
    if (button) format(button.dataset.format);
  };
}

// Format the selection if these keys say so; return whether they did.
export function handleFormatKey(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return false;
  const name = (event.shiftKey ? SHIFT_SHORTCUTS : SHORTCUTS)[event.code];
  if (name) format(name);
  return Boolean(name);
}

function format(name) {
  field.focus();
  const { selectionStart: start, selectionEnd: end, value } = field;
  const selected = value.slice(start, end);
  if (name === "quote") {
    const lineStart = value.lastIndexOf("\n", start - 1) + 1;
    replace(lineStart, end, value.slice(lineStart, end).replace(/^/gm, "> "));
    return;
  }
  const [before, after] = name === "link" ? ["[", "](https://)"] : [MARKS[name], MARKS[name]];
  replace(start, end, before + selected + after);
  const cursor = start + before.length;
  if (name === "link" && selected) field.setSelectionRange(end + before.length + 2, end + before.length + 10);
  else field.setSelectionRange(cursor, cursor + selected.length);
}

// Replace a part of the field, as if it had been typed: Ctrl+Z takes it back.
function replace(start, end, text) {
  field.setSelectionRange(start, end);
  document.execCommand("insertText", false, text);
}
