// The input field, the bar above it (reply, edit, files or recording) and the menu of commands.

import { fetchSetup, post, say } from "./actions.js";
import {
  attach,
  clearAttachments,
  describeAttachments,
  hasAttachments,
  sendAttachments,
  setUpAttachments,
  takeAttachments,
} from "./attachments.js";
import { handleFormatKey, parseMarks, setUpFormatting, toMarks } from "./formatting.js";
import { byId, chat, make, senderName } from "./page.js";

const field = byId("text");
const menu = byId("menu");

let replyTo = null; // the message that is replied to
let edited = null; // the person's own message that is edited
let commands = []; // the bot's menu

export function setUpComposer(botCommands) {
  commands = botCommands;
  field.oninput = () => {
    if (!edited) saveDraft(chat.person, field.value);
    showText();
  };
  field.onkeydown = handleKey;
  menu.onkeydown = (event) => {
    if (handleMenuKey(event.key)) event.preventDefault();
  };
  field.onpaste = (event) => attach(event.clipboardData.files);
  setUpAttachments(showAttachments);
  setUpFormatting();
  byId("send").onclick = send;
  byId("menu-button").onclick = toggleMenu;
  byId("bar-close").onclick = cancel;
  byId("scroll").onclick = hideMenu;
  field.disabled = false;
  field.focus();
}

// Sending

async function send() {
  const source = field.value.trim();
  if (!source && !hasAttachments()) return;
  const { person } = chat;
  const message = { source, replyTo, edited, attachments: await takeAttachments() };
  if (!edited) saveDraft(person, "");
  openDraft();
  if (await deliver(message)) return;
  saveDraft(person, source); // a text that could not be sent is not lost
  if (chat.person === person) openDraft();
}

// Send a message or an edit; return whether it succeeded.
async function deliver({ source, replyTo, edited, attachments }) {
  const { text, entities } = parseMarks(source);
  const reply_to = replyTo?.message_id ?? null;
  if (edited) return post("edit", { message_id: edited.message_id, text, entities });
  if (attachments) return sendAttachments(attachments, { text, entities, reply_to });
  return say(text, { entities, reply_to });
}

// Put a text into the field, as if the person had written it.
export function setText(text) {
  field.value = text;
  field.oninput();
}

function showText() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
  updateButtons();
  updateMenu();
}

// The draft, which is what a person has written and not sent. It survives a switch of persons and a restart.

const draftKey = (person) => `draft of ${person}`;

function saveDraft(person, text) {
  if (text) localStorage.setItem(draftKey(person), text);
  else localStorage.removeItem(draftKey(person));
}

// Show the person's draft, without a reply, an edit or files.
export function openDraft() {
  clearBar();
  field.value = localStorage.getItem(draftKey(chat.person)) ?? "";
  showText();
}

// End a reply or an edit, or forget the files, as the button of the bar says. Escape without a bar clears the field.
function cancel() {
  if (byId("bar").hidden) saveDraft(chat.person, "");
  openDraft();
  field.focus();
}

function handleKey(event) {
  if (event.isComposing || (event.key === "Enter" && event.shiftKey)) return;
  if (handleFormatKey(event) || handleMenuKey(event.key)) event.preventDefault();
  else if (event.key === "Escape") cancel();
  else if (event.key === "ArrowUp" && !field.value) editLastMessage();
  else if (event.key === "Enter") {
    event.preventDefault();
    send();
  }
}

// The bar above the field

export function endForcedReply() {
  if (replyTo?.force_reply) clearBar();
}

export function startReply(view) {
  clearBar();
  replyTo = view;
  const content = chat.messages.get(view.message_id).element.querySelector(".text, .rich");
  showBar(senderName(view), content.textContent || view.summary);
  if (view.force_reply) field.placeholder = view.force_reply.input_field_placeholder || "Ответ";
}

export function startEdit(view) {
  clearBar();
  edited = view;
  setText(toMarks(view));
  showBar("Изменение", view.summary);
}

function editLastMessage() {
  const own = [...chat.messages.values()].map(({ view }) => view).filter((view) => view.is_editable);
  if (own.length) startEdit(own.at(-1));
}

function showAttachments() {
  edited = null;
  if (!hasAttachments()) return;
  showBar(...describeAttachments());
}

function showBar(title, text) {
  byId("bar-title").textContent = title;
  byId("bar-text").textContent = text;
  byId("bar").hidden = false;
  updateButtons();
  field.focus();
}

function clearBar() {
  replyTo = edited = null;
  clearAttachments();
  byId("bar-pictures").replaceChildren();
  byId("bar-choice").hidden = true;
  byId("bar").hidden = true;
  field.placeholder = "Сообщение";
}

// As in Telegram, the microphone gives way to Send as soon as there is something to send.
function updateButtons() {
  const hasSomething = Boolean(field.value.trim()) || hasAttachments();
  byId("send").hidden = !hasSomething;
  byId("record").hidden = hasSomething;
}

// The menu of commands: it opens when "/" is typed or its button is clicked. The focus stays in the field or goes to the
// menu, and aria-activedescendant tells which command is selected.

let selected = 0; // the index of the selected command

async function updateMenu() {
  if (field.value === "/") commands = (await fetchSetup()).commands; // the bot may have changed its menu
  const typed = field.value.match(/^\/(\w*)$/)?.[1];
  const matching = commands.filter(({ command }) => typed !== undefined && command.startsWith(typed));
  const exactMatch = matching.findIndex(({ command }) => command === typed); // for /model: not /models
  showMenu(matching, Math.max(0, exactMatch));
}

function toggleMenu() {
  if (!menu.hidden) return hideMenu();
  showMenu(commands, 0);
  return menu.focus();
}

function showMenu(items, index) {
  menu.replaceChildren(...items.map(menuItem));
  if (!items.length) return hideMenu();
  menu.hidden = false;
  byId("menu-button").ariaExpanded = "true";
  return select(index);
}

function hideMenu() {
  if (menu.contains(document.activeElement)) byId("menu-button").focus();
  menu.hidden = true;
  byId("menu-button").ariaExpanded = "false";
  field.removeAttribute("aria-activedescendant");
}

function menuItem({ command, description }) {
  const onclick = () => {
    setText(`/${command}`);
    send(); // together with a chosen file, as a reply or as an edit
  };
  const name = make("b", {}, `/${command}`);
  const item = make("div", { onclick, role: "option", id: `menu-${command}` }, name, make("span", {}, description));
  item.dataset.command = command;
  return item;
}

function select(index) {
  const items = [...menu.children];
  selected = (index + items.length) % items.length;
  items.forEach((item, place) => item.setAttribute("aria-selected", place === selected));
  items[selected].scrollIntoView({ block: "nearest" });
  for (const element of [field, menu]) element.setAttribute("aria-activedescendant", items[selected].id);
}

// Handle a key of the open menu; return whether it was one. Enter sends the command, Tab only writes it.
function handleMenuKey(key) {
  const item = menu.children[selected];
  if (menu.hidden || !item) return false;
  if (key === "ArrowDown") select(selected + 1);
  else if (key === "ArrowUp") select(selected - 1);
  else if (key === "Escape") hideMenu();
  else if (key === "Enter") item.click();
  else if (key === "Tab") {
    setText(`/${item.dataset.command} `);
    field.focus();
  } else return false;
  return true;
}
