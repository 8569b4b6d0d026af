// The page's entry point: it connects to one person's chat and shows the events that the server sends.
//
// The other modules:
// page.js         shared state and helpers
// actions.js      requests to the server
// text.js         the text of a message as elements
// messages.js     messages and drafts
// media.js        photos, players, files, places
// composer.js     the input field and the menu of commands
// formatting.js   marks in the input field and the entities that they make
// attachments.js  files and recordings to send
// scroll.js       keeps the chat scrolled to its end
// suggestions.js  the buttons that let a visitor try the bot

import { fetchSetup } from "./actions.js";
import { endForcedReply, openDraft, setUpComposer, startReply } from "./composer.js";
import { clearMessages, endDraft, showDraft, showMessage } from "./messages.js";
import { byId, chat, copyText, make, setStatus, showToast } from "./page.js";
import { followEnd } from "./scroll.js";
import { notifyWaiters, setUpSuggestions } from "./suggestions.js";

const CHAT_ACTION_MS = 5_000;

// Events from the server

let source = null;
let runId = ""; // identifies one run of the sandbox

function connect() {
  source?.close();
  clearMessages();
  setStatus();
  openDraft();
  source = new EventSource(`/people/${chat.person}/events`);
  source.addEventListener("run", (event) => {
    if (runId && runId !== event.data) location.reload(); // the sandbox was restarted: its chats are new
    runId = event.data;
    setStatus();
  });
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    eventHandlers[event.kind](event);
  };
  source.onerror = () => setStatus("нет связи с песочницей…");
}

const eventHandlers = {
  message({ message }) {
    if (!message.is_own && !chat.messages.has(message.message_id)) {
      endDraft();
      setStatus();
    }
    const isNew = !chat.messages.has(message.message_id);
    showMessage(message);
    if (message.is_own) endForcedReply();
    else if (isNew && message.force_reply) startReply(message);
    notifyWaiters(message);
  },
  draft(event) {
    showDraft(event);
  },
  typing({ action }) {
    setStatus(action === "typing" ? "печатает…" : "отправляет файл…", CHAT_ACTION_MS);
  },
  toast({ text }) {
    showToast(text);
  },
};

// People: the address holds the person, so two windows can show two people

function showPeople(people) {
  chat.names = Object.fromEntries(people.map(({ id, name }) => [id, name]));
  const onclick = (event) => (location.hash = event.target.dataset.id);
  for (const { id, name } of people) {
    const button = make("button", { onclick, title: `Писать от имени: ${name}` }, name);
    button.dataset.id = id;
    byId("people").append(button);
  }
}

function switchPerson() {
  const id = Number(location.hash.slice(1));
  chat.person = id in chat.names ? id : 1;
  for (const button of byId("people").children) {
    button.setAttribute("aria-pressed", Number(button.dataset.id) === chat.person);
  }
  connect();
}

// The rest of the page

function showNotice(hasRealModels) {
  const key = make("code", {}, "OPENROUTER_API_KEY");
  const notice = hasRealModels
    ? ["Это песочница: вместо Telegram — имитация, модели настоящие."]
    : ["Это песочница: вместо Telegram и моделей — имитация. Задайте ", key, " — и ответят настоящие."];
  byId("notice").replaceChildren(...notice);
  byId("failures").hidden = hasRealModels;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  localStorage.setItem("theme", theme);
}

function toggleTheme() {
  const theme = document.documentElement.dataset.theme;
  const isDark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(isDark ? "light" : "dark");
}

async function start() {
  const theme = localStorage.getItem("theme");
  if (theme) setTheme(theme);
  byId("theme").onclick = toggleTheme;
  byId("log").addEventListener("click", (event) => {
    if (event.target.matches(".copy")) copyText(event.target.closest(".code").querySelector("pre").textContent);
  });
  const { people, commands, has_real_models } = await fetchSetup();
  showNotice(has_real_models);
  showPeople(people);
  window.onhashchange = switchPerson;
  followEnd();
  switchPerson();
  setUpSuggestions();
  setUpComposer(commands);
}

start();
