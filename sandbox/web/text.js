// The text of a message as elements: formatting, links and commands.

import { say } from "./actions.js";
import { make } from "./page.js";

// A plain text with its entities, or HTML that the server made safe.
export function contentElement({ html, text, entities = [] }) {
  const isRich = html !== undefined;
  const element = make("div", { className: isRich ? "rich" : "text" });
  if (isRich) {
    element.innerHTML = html;
  } else {
    element.append(...formattedNodes(text, entities, 0, text.length));
    element.style.display = "inline"; // the time is shown next to the last line
  }
  addLinks(element);
  return element;
}

// Format the text between two offsets, which count UTF-16 units, as JavaScript does. Entities may be nested.
function formattedNodes(text, entities, start, end) {
  const nodes = [];
  let position = start;
  const remaining = [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
  while (remaining.length) {
    const outer = remaining.shift();
    const outerEnd = outer.offset + outer.length;
    const inner = [];
    while (remaining.length && remaining[0].offset < outerEnd) inner.push(remaining.shift());
    nodes.push(text.slice(position, outer.offset));
    nodes.push(entityElement(outer, formattedNodes(text, inner, outer.offset, outerEnd)));
    const isBlock = outer.type === "pre" || outer.type.endsWith("blockquote");
    position = outerEnd + (isBlock && text[outerEnd] === "\n"); // a block ends its line by itself
  }
  nodes.push(text.slice(position, end));
  return nodes;
}

const ENTITY_TAGS = {
  bold: "b",
  italic: "i",
  underline: "u",
  strikethrough: "s",
  code: "code",
  pre: "pre",
  blockquote: "blockquote",
  expandable_blockquote: "blockquote",
};

function entityElement(entity, children) {
  if (entity.type === "spoiler") return spoilerElement(children);
  if (entity.type === "text_link" && isWebAddress(entity.url)) return linkElement(entity.url, ...children);
  const properties = entity.type === "pre" ? { tabIndex: 0 } : {}; // it may scroll, with the keyboard too
  return make(ENTITY_TAGS[entity.type] ?? "span", properties, ...children);
}

// A hidden text, shown by a tap or the Enter key.
function spoilerElement(children) {
  const hidden = { className: "spoiler", tabIndex: 0, role: "button", ariaLabel: "Скрытый текст" };
  const element = make("span", hidden, make("span", {}, ...children));
  element.onclick = (event) => {
    if (!element.matches(".spoiler")) return;
    event.preventDefault();
    element.className = "";
    for (const name of ["tabindex", "role", "aria-label"]) element.removeAttribute(name);
  };
  element.onkeydown = ({ key }) => {
    if (key === "Enter" || key === " ") element.click();
  };
  return element;
}

export function isWebAddress(url) {
  return /^https?:\/\//i.test(url);
}

export function linkElement(url, ...children) {
  return make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

const LINKS = /https?:\/\/[^\s<>«»"']*[^\s<>«»"'.,:;!?)\]]|(?<![\wа-яё/<])\/[a-z][a-z0-9_]{0,31}(?![\w/])/gi;

// Make web addresses and commands clickable, except in code, as Telegram does.
function addLinks(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) {
    if (node.parentElement.closest("a, code, pre, button")) continue;
    const parts = [];
    let position = 0;
    for (const match of node.data.matchAll(LINKS)) {
      const link = match[0];
      parts.push(node.data.slice(position, match.index));
      parts.push(isWebAddress(link) ? linkElement(link, link) : commandElement(link));
      position = match.index + link.length;
    }
    if (parts.length) node.replaceWith(...parts, node.data.slice(position));
  }
}

function commandElement(command) {
  const onclick = (event) => {
    event.preventDefault();
    say(command);
  };
  return make("a", { href: "#", className: "command", onclick }, command);
}
