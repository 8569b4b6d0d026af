// The input field, the bar above it (reply, edit or file) and the menu of commands.

import { fetchSetup, post, say, sendFile } from "./actions.js";
import { byId, chat, formatSize, make, senderName } from "./page.js";

const field = byId("text");
const menu = byId("menu");
const PARTS = /[^]{1,4096}/g; // Telegram sends a longer text as several messages

let replyTo = null; // the message that is replied to
let edited = null; // the person's own message that is edited
let file = null; // the file to send
let commands = []; // the bot's menu

export function setUpComposer(botCommands) {
  commands = botCommands;
  field.oninput = () => {
    resizeField();
    updateMenu();
  };
  field.onkeydown = handleKey;
  field.onpaste = (event) => attachFile(event.clipboardData.files[0]);
  byId("send").onclick = send;
  byId("menu-button").onclick = toggleMenu;
  byId("attach").onclick = () => byId("file").click();
  byId("file").onchange = () => attachFile(byId("file").files[0]);
  byId("bar-close").onclick = clearComposer;
  byId("scroll").onclick = hideMenu;
  document.ondragover = (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault();
  };
  document.ondrop = (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    attachFile(event.dataTransfer.files[0]);
  };
  field.disabled = false;
  field.focus();
}

// Sending

async function send() {
  const text = field.value.trim();
  if (!text && !file) return;
  const message = { text, replyTo, edited, file, asPicture: isPicture(file) && !byId("as-file").checked };
  clearComposer();
  if (!(await deliver(message))) setText(text); // a text that could not be sent is not lost
}

// Send a message or an edit; return whether it succeeded.
async function deliver(message) {
  if (message.edited) return post("edit", { message_id: message.edited.message_id, text: message.text });
  if (message.file) return sendFile(message.file, message.text, message.asPicture);
  let isSent = true;
  for (const part of message.text.match(PARTS)) isSent = await say(part, message.replyTo?.message_id);
  return isSent;
}

function isPicture(candidate) {
  return ["image/png", "image/jpeg"].includes(candidate?.type);
}

// Put a text into the field.
export function setText(text) {
  field.value = text;
  resizeField();
  updateMenu();
}

function resizeField() {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}

function handleKey(event) {
  if (event.isComposing || (event.key === "Enter" && event.shiftKey)) return;
  if (handleMenuKey(event.key)) event.preventDefault();
  else if (event.key === "Escape") clearComposer();
  else if (event.key === "ArrowUp" && !field.value) editLastMessage();
  else if (event.key === "Enter") {
    event.preventDefault();
    send();
  }
}

// The bar above the field

export function startReply(view) {
  clearBar();
  replyTo = view;
  const content = chat.messages.get(view.message_id).element.querySelector(".text, .rich");
  showBar(senderName(view), content.textContent || view.document?.name || "Картинка");
}

export function startEdit(view) {
  clearBar();
  edited = view;
  setText(view.text);
  showBar("Изменение", view.text || view.document?.name || "Картинка");
}

function editLastMessage() {
  const own = [...chat.messages.values()].map(({ view }) => view).filter((view) => view.is_own);
  if (own.length) startEdit(own.at(-1));
}

function attachFile(newFile) {
  if (!newFile) return;
  clearBar();
  file = newFile;
  showBar(file.name, formatSize(file.size), isPicture(file) ? file : null);
}

function showBar(title, text, picture = null) {
  byId("bar-title").textContent = title;
  byId("bar-text").textContent = text;
  byId("bar-picture").hidden = byId("bar-choice").hidden = !picture;
  if (picture) byId("bar-picture").src = URL.createObjectURL(picture);
  byId("bar").hidden = false;
  field.focus();
}

function clearBar() {
  replyTo = edited = file = null;
  byId("bar").hidden = true;
  byId("file").value = "";
  byId("as-file").checked = false;
}

export function clearComposer() {
  clearBar();
  setText("");
}

// The menu of commands: it opens when "/" is typed or its button is clicked

let selected = 0; // the index of the selected command

async function updateMenu() {
  if (field.value === "/") commands = (await fetchSetup()).commands; // the bot may have changed its menu
  const typed = field.value.match(/^\/(\w*)$/)?.[1];
  const matching = commands.filter(({ command }) => typed !== undefined && command.startsWith(typed));
  const exactMatch = matching.findIndex(({ command }) => command === typed); // for /model: not /models
  showMenu(matching, Math.max(0, exactMatch));
}

function toggleMenu() {
  if (menu.hidden) showMenu(commands, 0);
  else hideMenu();
}

function showMenu(items, index) {
  menu.replaceChildren(...items.map(menuItem));
  menu.hidden = !items.length;
  select(index);
}

function hideMenu() {
  menu.hidden = true;
}

function menuItem({ command, description }) {
  const onclick = () => {
    setText(`/${command}`);
    send(); // together with a chosen file, as a reply or as an edit
  };
  const name = make("b", {}, `/${command}`);
  const item = make("button", { onclick, role: "option" }, name, make("span", {}, description));
  item.dataset.command = command;
  return item;
}

function select(index) {
  const items = [...menu.children];
  if (!items.length) return;
  selected = (index + items.length) % items.length;
  items.forEach((item, place) => item.setAttribute("aria-selected", place === selected));
  items[selected].scrollIntoView({ block: "nearest" });
}

// Handle a key of the open menu; return whether it was one. Enter sends the command, Tab only writes it.
function handleMenuKey(key) {
  const item = menu.children[selected];
  if (menu.hidden || !item) return false;
  if (key === "ArrowDown") select(selected + 1);
  else if (key === "ArrowUp") select(selected - 1);
  else if (key === "Escape") hideMenu();
  else if (key === "Enter") item.click();
  else if (key === "Tab") setText(`/${item.dataset.command} `);
  else return false;
  return true;
}
