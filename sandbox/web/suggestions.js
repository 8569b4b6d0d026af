// The suggestions beside the chat. A button with data-send sends a text; with data-then, a command about the note that
// the text became, whose number replaces the #. With data-fill it only writes the text into the field; with
// data-sample it sends a sample of that kind. A button with data-model switches the active model first.

import { post, say } from "./actions.js";
import { setText } from "./composer.js";
import { byId, showToast } from "./page.js";

const ANSWER_MS = 15_000; // how long to wait for the bot
const MAX_PAGES = 20; // of the list of models

export function setUpSuggestions() {
  byId("suggestions").onclick = (event) => {
    if (event.target.matches("button")) follow(event.target);
  };
}

async function follow(button) {
  const { fill, model, sample, send, then } = button.dataset;
  if (fill) {
    setText(fill);
    byId("text").focus();
    return;
  }
  if (button.ariaDisabled) return; // a disabled button would lose the focus
  button.ariaDisabled = "true";
  try {
    if (model) await switchModel(model);
    if (then) await sayAboutNote(send, then);
    else if (send) await say(send);
    if (sample) await post("sample", { kind: sample });
  } catch {
    showToast(model ? "Не получилось сменить модель: выберите её в /models." : "Бот не ответил. Попробуйте ещё раз.");
  } finally {
    button.ariaDisabled = null;
  }
}

// Send a text that becomes a note, then a command about this note.
async function sayAboutNote(text, command) {
  const confirmation = nextMessage(({ is_own, text }) => !is_own && /#\d+/.test(text));
  await say(text);
  const [number] = (await confirmation).text.match(/(?<=#)\d+/);
  await say(command.replace("#", number));
}

// Do what a person would do: send /models, turn the pages, tap the button of the model.
async function switchModel(label) {
  const list = nextMessage(({ is_own, buttons }) => !is_own && buttons.length);
  await say("/models");
  let message = await list;
  let direction = "▶";
  for (let page = 0; page < MAX_PAGES; page++) {
    const buttons = message.buttons.flat();
    const wanted = buttons.find((button) => button.text.includes(label));
    if (isActive(message, label)) return undefined;
    if (wanted) return post("tap", { message_id: message.message_id, data: wanted.callback_data });
    if (!buttons.some((button) => button.text === direction)) direction = "◀";
    const { message_id } = message;
    const data = buttons.find((button) => button.text === direction).callback_data;
    const nextPage = nextMessage((changed) => changed.message_id === message_id);
    await post("tap", { message_id, data });
    message = await nextPage;
  }
  throw new Error("no such model");
}

// The active model has no button: it is the line with the star.
function isActive(message, label) {
  return message.text.split("\n").some((line) => line.startsWith("★") && line.includes(label));
}

const waiters = new Set(); // functions that get each new or changed message

export function notifyWaiters(message) {
  waiters.forEach((waiter) => waiter(message));
}

// Wait for a new or changed message that matches.
function nextMessage(matches) {
  return new Promise((resolve, reject) => {
    const finish = (settle, value) => {
      waiters.delete(waiter);
      clearTimeout(timer);
      settle(value);
    };
    const waiter = (message) => {
      if (matches(message)) finish(resolve, message);
    };
    const timer = setTimeout(() => finish(reject, new Error("the bot did not answer")), ANSWER_MS);
    waiters.add(waiter);
  });
}
