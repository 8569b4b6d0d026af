// The chat's page: it hears the news of one person's chat and posts what the person does.
//
// Reading order: what the server tells, how a message is shown, what the person does, the suggestions, the start.

"use strict";

const byId = (id) => document.getElementById(id);
const log = byId("log");
const text = byId("text");

const DRAFT_MS = 60_000; // a draft with no news for so long is gone
const TYPING_MS = 5_000;
const TOAST_MS = 3_500;
const ANSWER_MS = 15_000; // how long a suggestion waits for the bot
const UPLOAD_MOST = 50 * 2 ** 20;
const PARTS = /[^]{1,4096}/g; // a longer text is sent as several, as Telegram does

let person = 1; // whose chat is shown
let names = {}; // person → name
let commands = []; // the bot's menu
let source = null; // where the news come from
let run = ""; // which run of the sandbox they are of
let messages = new Map(); // message_id → { view, element }
let draft = null; // { element, timer, draft_id } of the answer that is being written
let reply = null; // the message that is being replied to
let editing = null; // the own message that is being changed
let file = null; // the file that will be sent

// What the server tells ---------------------------------------------------------------------------------

function connect() {
  source?.close();
  log.replaceChildren(emptyChat());
  messages = new Map();
  endDraft();
  setStatus();
  clearComposer();
  source = new EventSource(`/people/${person}/news`);
  source.addEventListener("run", (event) => {
    if (run && run !== event.data) location.reload(); // the sandbox was started anew: its chats are others
    run = event.data;
    setStatus();
  });
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    hearers[news.kind](news);
  };
  source.onerror = () => setStatus("нет связи с песочницей…");
}

const hearers = {
  message({ message }) {
    if (!message.is_own && !messages.has(message.message_id)) {
      endDraft();
      setStatus();
    }
    showMessage(message);
    awaited.forEach((waiting) => waiting(message));
  },
  draft(news) {
    showDraft(news);
  },
  typing({ action }) {
    setStatus(action === "typing" ? "печатает…" : "отправляет файл…", TYPING_MS);
  },
  toast({ text: said }) {
    showToast(said);
  },
};

let statusTimer = 0;

function setStatus(said = "", lasts = 0) {
  clearTimeout(statusTimer);
  byId("status").textContent = said || "бот";
  byId("status").classList.toggle("busy", Boolean(said));
  if (lasts) statusTimer = setTimeout(setStatus, lasts);
}

let toastTimer = 0;

function showToast(said) {
  clearTimeout(toastTimer);
  byId("toast").textContent = said;
  byId("toast").hidden = false;
  toastTimer = setTimeout(() => (byId("toast").hidden = true), TOAST_MS);
}

// How a message is shown ----------------------------------------------------------------------------------

// make("b", { className: "x" }, "text", node, …) makes an element.
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

function emptyChat() {
  const start = make("button", { textContent: "Начать", onclick: () => say("/start") });
  return make("div", { className: "empty" }, make("div", {}, "Здесь пока ничего нет."), start);
}

function showMessage(view) {
  const element = messageElement(view);
  const known = messages.get(view.message_id);
  if (known) {
    known.element.replaceWith(element);
  } else {
    log.querySelector(".empty")?.remove();
    showDay(view.at);
    log.append(element);
    if (draft) log.append(draft.element); // the draft stays last
  }
  messages.set(view.message_id, { view, element });
}

function showDay(at) {
  const day = new Date(at * 1000).toLocaleDateString("ru", { day: "numeric", month: "long" });
  if ([...log.querySelectorAll(".day")].at(-1)?.textContent !== day) {
    log.append(make("div", { className: "day", textContent: day }));
  }
}

function messageElement(view) {
  const bubble = make(
    "div",
    { className: "bubble" },
    view.reply && quoteElement(view.reply),
    view.photo ? photoElement(view.photo) : null,
    view.document ? documentElement(view.document) : null,
    contentElement(view),
    make("span", { className: "time", textContent: (view.is_edited ? "изменено " : "") + clock(view.at) }),
    actionsElement(view),
  );
  const rows = view.buttons.map((row) =>
    make("div", { className: "buttons" }, ...row.map((button) => buttonElement(view, button))),
  );
  const className = view.is_own ? "message own" : "message";
  const element = make("div", { className }, bubble, ...rows);
  element.dataset.id = view.message_id;
  element.ondblclick = () => startReply(view);
  return element;
}

function clock(at) {
  return new Date(at * 1000).toLocaleTimeString("ru", { hour: "2-digit", minute: "2-digit" });
}

// A text with its entities, or Markdown that the server has made HTML of, with nothing in it that could run.
function contentElement({ html, text: plain, entities = [] }) {
  const element = make("div", { className: html === undefined ? "text" : "rich" });
  if (html === undefined) element.append(...formatted(plain, entities, 0, plain.length));
  else element.innerHTML = html;
  makeLinks(element);
  if (html === undefined) element.style.display = "inline"; // the time stands beside the last line
  return element;
}

// Entities count in UTF-16 units, as JavaScript does. Inner ones lie wholly within outer ones.
function formatted(whole, entities, from, to) {
  const nodes = [];
  let at = from;
  const sorted = [...entities].sort((a, b) => a.offset - b.offset || b.length - a.length);
  while (sorted.length) {
    const outer = sorted.shift();
    const end = outer.offset + outer.length;
    const inner = [];
    while (sorted.length && sorted[0].offset < end) inner.push(sorted.shift());
    nodes.push(whole.slice(at, outer.offset));
    nodes.push(entityElement(outer, formatted(whole, inner, outer.offset, end)));
    at = end;
  }
  nodes.push(whole.slice(at, to));
  return nodes;
}

const TAGS = { bold: "b", italic: "i", underline: "u", strikethrough: "s", code: "code", pre: "pre", blockquote: "blockquote" };

function entityElement(entity, children) {
  if (entity.type === "spoiler") return make("span", { className: "spoiler", tabIndex: 0 }, ...children);
  if (entity.type === "text_link" && isWeb(entity.url)) return linkElement(entity.url, ...children);
  return make(TAGS[entity.type] ?? "span", {}, ...children);
}

function isWeb(url) {
  return /^https?:\/\//i.test(url);
}

function linkElement(url, ...children) {
  return make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...children);
}

// Addresses and commands in a text can be clicked, as in Telegram; those in code cannot.
const LINKS = /https?:\/\/[^\s<>«»"']*[^\s<>«»"'.,:;!?)\]]|(?<![\wа-яё/<])\/[a-z][a-z0-9_]{0,31}(?![\w/])/gi;

function makeLinks(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes.filter((node) => !node.parentElement.closest("a, code, pre, button"))) {
    const parts = [];
    let at = 0;
    for (const match of node.data.matchAll(LINKS)) {
      parts.push(node.data.slice(at, match.index));
      parts.push(isWeb(match[0]) ? linkElement(match[0], match[0]) : commandElement(match[0]));
      at = match.index + match[0].length;
    }
    if (at) node.replaceWith(...parts, node.data.slice(at));
  }
}

function commandElement(command) {
  const onclick = (event) => {
    event.preventDefault();
    say(command);
  };
  return make("a", { href: "#", className: "command", onclick }, command);
}

function quoteElement(quote) {
  const onclick = () => {
    const element = messages.get(quote.message_id)?.element;
    element?.scrollIntoView({ block: "center", behavior: "smooth" });
    element?.classList.add("flash");
    setTimeout(() => element?.classList.remove("flash"), 1200);
  };
  return make("button", { className: "quote", onclick }, make("b", {}, nameOf(quote)), make("span", {}, quote.text));
}

function nameOf({ is_own }) {
  return is_own ? names[person] : "Заметки";
}

// A picture that the bot named by its address is not fetched: looking at a chat tells no other server about it.
function photoElement(photo) {
  if (isWeb(photo)) return linkElement(photo, "🖼 Картинка из интернета");
  return make("img", { className: "photo", src: `/people/${person}/files/${photo}`, alt: "Картинка" });
}

function documentElement({ file_id, name, size }) {
  const extension = name.includes(".") ? name.split(".").at(-1).slice(0, 4) : "";
  return make(
    "a",
    {
      className: "document",
      href: `/people/${person}/files/${file_id}?name=${encodeURIComponent(name)}`,
      download: name,
    },
    make("i", {}, extension),
    make("div", {}, make("b", {}, name), make("small", {}, bytes(size))),
  );
}

function bytes(size) {
  if (size < 1024) return `${size} Б`;
  if (size < 2 ** 20) return `${(size / 1024).toFixed(1)} КБ`;
  return `${(size / 2 ** 20).toFixed(1)} МБ`;
}

function buttonElement(view, button) {
  const onclick = () => {
    if (button.url) window.open(button.url, "_blank", "noopener,noreferrer");
    else post("tap", { message_id: view.message_id, data: button.callback_data });
  };
  return make("button", { onclick }, button.text);
}

function actionsElement(view) {
  const answer = make("button", { title: "Ответить", ariaLabel: "Ответить", onclick: () => startReply(view) }, "↩");
  const change = make("button", { title: "Изменить", ariaLabel: "Изменить", onclick: () => startEdit(view) }, "✎");
  return make("div", { className: "actions" }, view.is_own ? change : null, answer);
}

// An answer that is being written: it grows in place until the real message comes.
function showDraft({ draft_id, html, text: plain, can_stop }) {
  if (draft?.draft_id !== draft_id) {
    endDraft();
    log.querySelector(".empty")?.remove();
    const bubble = make("div", { className: "bubble" });
    const stop = make("button", {}, "■ Остановить");
    stop.onclick = () => {
      stop.disabled = true;
      post("stop", { draft_id });
    };
    const element = make("div", { className: "message draft" }, bubble);
    if (can_stop) element.append(make("div", { className: "buttons" }, stop));
    log.append(element);
    draft = { draft_id, element, timer: 0 };
  }
  const isEmpty = html === undefined && !plain;
  const content = isEmpty ? make("div", { className: "thinking" }, "Думает…") : contentElement({ html, text: plain });
  draft.element.querySelector(".bubble").replaceChildren(content);
  clearTimeout(draft.timer);
  draft.timer = setTimeout(endDraft, DRAFT_MS);
}

function endDraft() {
  if (!draft) return;
  clearTimeout(draft.timer);
  draft.element.remove();
  draft = null;
}

// The chat stays at its end, whatever grows there, unless the person has scrolled up.
let isAtEnd = true;

function followTheEnd() {
  const scroll = byId("scroll");
  let lastTop = 0;
  scroll.onscroll = () => {
    // The chat may have grown since the page itself scrolled: only a move upwards is the person's.
    if (scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60) isAtEnd = true;
    else if (scroll.scrollTop < lastTop) isAtEnd = false;
    lastTop = scroll.scrollTop;
    byId("down").hidden = isAtEnd;
  };
  const watcher = new ResizeObserver(() => isAtEnd && goToEnd());
  watcher.observe(log);
  watcher.observe(scroll);
  byId("down").onclick = goToEnd;
}

function goToEnd() {
  isAtEnd = true;
  byId("down").hidden = true;
  byId("scroll").scrollTop = byId("scroll").scrollHeight;
}

// What the person does ------------------------------------------------------------------------------------

// The header tells the server that it is this page who asks: no other site can set it.
async function post(action, body) {
  const isForm = body instanceof FormData;
  const headers = { "X-Sandbox": "1", ...(isForm ? {} : { "Content-Type": "application/json" }) };
  try {
    const request = { method: "POST", headers, body: isForm ? body : JSON.stringify(body) };
    const response = await fetch(`/people/${person}/${action}`, request);
    if (response.ok) return true;
    const told = await response.json().catch(() => ({}));
    showToast(told.error ?? `Не получилось: ${response.status}`);
  } catch {
    showToast("Песочница остановлена. Запустите её снова: python -m sandbox");
  }
  return false;
}

function say(said, reply_to = null) {
  goToEnd();
  return post("say", { text: said, reply_to });
}

async function send() {
  const said = text.value.trim();
  if (!said && !file) return;
  const doing = { reply, editing, file, isPicture: isPicture(file) && !byId("as-file").checked };
  clearComposer();
  let isDone;
  if (doing.editing) isDone = await post("edit", { message_id: doing.editing.message_id, text: said });
  else if (doing.file) isDone = await sendFile(doing.file, said, doing.isPicture);
  else for (const part of said.match(PARTS)) isDone = await say(part, doing.reply?.message_id);
  if (!isDone) write(said); // nothing that was typed is lost
}

async function sendFile(sent, caption, asPicture) {
  if (!sent.size || sent.size > UPLOAD_MOST) {
    showToast("Telegram не примет ни пустой файл, ни больше 50 МБ.");
    return false;
  }
  const form = new FormData();
  form.append("file", sent);
  form.append("caption", caption);
  form.append("is_picture", asPicture ? "1" : "");
  goToEnd();
  return post("file", form);
}

function isPicture(chosen) {
  return ["image/png", "image/jpeg"].includes(chosen?.type);
}

// The bar above the field: what is replied to, changed or sent along.
function showBar(title, said, picture = null) {
  byId("bar-title").textContent = title;
  byId("bar-text").textContent = said;
  byId("bar-picture").hidden = byId("bar-choice").hidden = !picture;
  if (picture) byId("bar-picture").src = URL.createObjectURL(picture);
  byId("bar").hidden = false;
  text.focus();
}

function clearBar() {
  reply = editing = file = null;
  byId("bar").hidden = true;
  byId("file").value = "";
  byId("as-file").checked = false;
}

function clearComposer() {
  clearBar();
  write("");
}

function startReply(view) {
  clearBar();
  reply = view;
  const element = messages.get(view.message_id).element.querySelector(".text, .rich");
  showBar(nameOf(view), element.textContent || view.document?.name || "Картинка");
}

function startEdit(view) {
  clearBar();
  editing = view;
  write(view.text);
  showBar("Изменение", view.text || view.document?.name || "Картинка");
}

function chooseFile(chosen) {
  if (!chosen) return;
  clearBar();
  file = chosen;
  showBar(chosen.name, bytes(chosen.size), isPicture(chosen) ? chosen : null);
}

function write(said) {
  text.value = said;
  fitField();
  showMenu();
}

function fitField() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight}px`;
}

function editLastOwn() {
  const own = [...messages.values()].map(({ view }) => view).filter((view) => view.is_own);
  if (own.length) startEdit(own.at(-1));
}

// The menu of commands: typing "/" opens it.
let chosen = 0; // the place of the selected command

async function showMenu(all = false) {
  if (text.value === "/") commands = (await setup()).commands; // the bot may have set them since
  const typed = all ? "" : text.value.match(/^\/(\w*)$/)?.[1];
  const fitting = commands.filter(({ command }) => command.startsWith(typed));
  chosen = Math.max(0, fitting.findIndex(({ command }) => command === typed)); // not /models for /model
  byId("menu").replaceChildren(...fitting.map(menuItem));
  byId("menu").hidden = !fitting.length;
  select(0);
}

function menuItem({ command, description }) {
  const onclick = () => {
    write(`/${command}`);
    send(); // with the file it is the caption of, or as the answer or the change it is
  };
  const item = make("button", { onclick, role: "option" }, make("b", {}, `/${command}`), make("span", {}, description));
  item.dataset.command = command;
  return item;
}

function select(step) {
  const items = [...byId("menu").children];
  if (!items.length) return;
  chosen = (chosen + step + items.length) % items.length;
  items.forEach((item, place) => item.setAttribute("aria-selected", place === chosen));
  items[chosen].scrollIntoView({ block: "nearest" });
}

// Return whether the key was the menu's. Enter and a click send a command, Tab writes it into the field.
function menuTakes(key) {
  const item = byId("menu").children[chosen];
  if (byId("menu").hidden || !item) return false;
  if (key === "ArrowDown") select(1);
  else if (key === "ArrowUp") select(-1);
  else if (key === "Escape") byId("menu").hidden = true;
  else if (key === "Enter") item.click();
  else if (key === "Tab") write(`/${item.dataset.command} `);
  else return false;
  return true;
}

function onKey(event) {
  if (event.isComposing || (event.key === "Enter" && event.shiftKey)) return;
  if (menuTakes(event.key)) event.preventDefault();
  else if (event.key === "Escape") clearComposer();
  else if (event.key === "ArrowUp" && !text.value) editLastOwn();
  else if (event.key === "Enter") {
    event.preventDefault();
    send();
  }
}

// The suggestions -----------------------------------------------------------------------------------------

const awaited = new Set(); // who waits for a message of the bot

// Wait for a new message, or a changed one, that fits.
function nextMessage(fits) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(reject, new Error("the bot is silent")), ANSWER_MS);
    const waiting = (message) => fits(message) && done(resolve, message);
    const done = (settle, value) => {
      awaited.delete(waiting);
      clearTimeout(timer);
      settle(value);
    };
    awaited.add(waiting);
  });
}

async function tryOut(chip) {
  if (chip.dataset.fill) {
    write(chip.dataset.fill);
    text.focus();
    return;
  }
  chip.disabled = true;
  try {
    if (chip.dataset.model) await switchModel(chip.dataset.model);
    if (chip.dataset.send) await say(chip.dataset.send);
  } catch {
    showToast("Не получилось сменить модель: выберите её в /models.");
  } finally {
    chip.disabled = false;
  }
}

// Do what a person would: ask for /models, turn the pages, tap the button.
async function switchModel(label) {
  let message = nextMessage(({ is_own, buttons }) => !is_own && buttons.length);
  await say("/models");
  message = await message;
  let turn = "▶";
  for (let page = 0; page < 20; page++) {
    const buttons = message.buttons.flat();
    const wanted = buttons.find((button) => button.text.includes(label));
    if (wanted) return post("tap", { message_id: message.message_id, data: wanted.callback_data });
    if (!buttons.some((button) => button.text === turn)) turn = "◀";
    const { message_id } = message;
    const data = buttons.find((button) => button.text === turn).callback_data;
    const turned = nextMessage((changed) => changed.message_id === message_id);
    await post("tap", { message_id, data });
    message = await turned;
  }
  throw new Error("no such model");
}

// The start -----------------------------------------------------------------------------------------------

async function setup() {
  return (await fetch("/setup")).json();
}

function showMode(isReal) {
  const key = make("code", {}, "OPENROUTER_API_KEY");
  byId("mode").replaceChildren(
    ...(isReal
      ? ["Песочница: Telegram играет эта страница, модели настоящие."]
      : ["Песочница: Telegram и модели здесь играет программа. Задайте ", key, " — и ответят настоящие."]),
  );
  byId("trouble").hidden = isReal;
}

function showPeople(people) {
  names = Object.fromEntries(people.map(({ id, name }) => [id, name]));
  const onclick = (event) => (location.hash = event.target.dataset.id);
  for (const { id, name } of people) {
    const button = make("button", { onclick, title: `Писать от имени: ${name}` }, name);
    button.dataset.id = id;
    byId("people").append(button);
  }
}

// The person stands in the address, so two windows can be two people.
function become() {
  const wanted = Number(location.hash.slice(1));
  person = wanted in names ? wanted : 1;
  for (const button of byId("people").children) {
    button.setAttribute("aria-pressed", Number(button.dataset.id) === person);
  }
  connect();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
}

function toggleTheme() {
  const now = document.documentElement.dataset.theme;
  const isDark = now ? now === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(isDark ? "light" : "dark");
}

function listen() {
  text.oninput = () => {
    fitField();
    showMenu();
  };
  text.onkeydown = onKey;
  text.onpaste = (event) => chooseFile(event.clipboardData.files[0]);
  byId("send").onclick = send;
  byId("menu-button").onclick = () => (byId("menu").hidden ? showMenu(true) : (byId("menu").hidden = true));
  byId("attach").onclick = () => byId("file").click();
  byId("file").onchange = () => chooseFile(byId("file").files[0]);
  byId("bar-close").onclick = clearComposer;
  byId("theme").onclick = toggleTheme;
  byId("try").onclick = (event) => event.target.matches("button") && tryOut(event.target);
  log.addEventListener("click", (event) => event.target.matches(".copy") && copyCode(event.target));
  byId("scroll").onclick = () => (byId("menu").hidden = true);
  document.ondragover = (event) => event.dataTransfer.types.includes("Files") && event.preventDefault();
  document.ondrop = (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    chooseFile(event.dataTransfer.files[0]);
  };
  window.onhashchange = become;
}

async function copyCode(button) {
  await navigator.clipboard.writeText(button.closest(".code").querySelector("pre").textContent);
  showToast("Скопировано.");
}

async function start() {
  const theme = localStorage.getItem("theme");
  if (theme) setTheme(theme);
  const told = await setup();
  commands = told.commands;
  showMode(told.is_real);
  showPeople(told.people);
  listen();
  followTheEnd();
  become();
  text.disabled = false;
  text.focus();
}

start();
