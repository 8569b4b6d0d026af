// What is sent besides text: chosen, dropped and pasted files, recordings and samples.

import { sendFiles } from "./actions.js";
import { byId, formatDuration, formatSize, make, showToast } from "./page.js";

const MAX_FILES = 30; // three albums

let files = []; // the files to send
let onChange = () => {}; // called when files were added or a recording began

export function setUpAttachments(changed) {
  onChange = changed;
  byId("attach").onclick = () => byId("file").click();
  byId("file").onchange = () => attach(byId("file").files);
  document.ondragover = (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault();
  };
  document.ondrop = (event) => {
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    attach(event.dataTransfer.files);
  };
  byId("record").onclick = startRecording;
}

export function attach(added) {
  if (!added.length) return;
  files = [...files, ...added].slice(0, MAX_FILES);
  onChange();
}

export function hasAttachments() {
  return files.length > 0 || recorder !== null;
}

export function clearAttachments() {
  files = [];
  byId("file").value = "";
  byId("as-file").checked = false;
  stopRecording();
}

// Return what is to be sent, { kind, files }, and forget it; null if there is nothing.
export async function takeAttachments() {
  if (recorder) return { kind: "voice", files: [await finishRecording()] };
  const kind = files.every(isPicture) && !byId("as-file").checked ? "photo" : "document";
  const taken = files.length ? { kind, files } : null;
  clearAttachments();
  return taken;
}

export function sendAttachments({ kind, files: taken }, message) {
  return sendFiles(kind, taken, message);
}

// Show what is to be sent in the bar above the field; return its title and text.
export function describeAttachments() {
  const pictures = files.filter(isPicture);
  byId("bar-pictures").replaceChildren(...pictures.slice(0, 4).map(previewElement));
  byId("bar-choice").hidden = !files.length || pictures.length < files.length;
  if (recorder) return ["Запись голоса", formatDuration(0)];
  const size = formatSize(files.reduce((sum, file) => sum + file.size, 0));
  return files.length === 1 ? [files[0].name, size] : [`${files.length} шт.`, size];
}

function previewElement(file) {
  return make("img", { src: URL.createObjectURL(file), alt: file.name });
}

function isPicture(file) {
  return ["image/png", "image/jpeg", "image/webp"].includes(file.type);
}

// Voice messages

const VOICE_TYPES = ["audio/ogg;codecs=opus", "audio/webm;codecs=opus", "audio/mp4"];

let recorder = null;
let isAsking = false; // the browser is asking for the microphone
let recorded = []; // parts of the recording
let clock = 0;

async function startRecording() {
  if (recorder || isAsking) return; // it was clicked twice
  isAsking = true;
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const mimeType = VOICE_TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    recorder = new MediaRecorder(stream, { mimeType });
  } catch {
    showToast("Микрофон недоступен. Отправьте образец голосового: он в списке «Что попробовать».");
    return;
  } finally {
    isAsking = false;
  }
  recorded = [];
  recorder.ondataavailable = ({ data }) => recorded.push(data);
  recorder.start();
  const started = Date.now();
  clock = setInterval(() => (byId("bar-text").textContent = formatDuration((Date.now() - started) / 1000)), 500);
  onChange();
}

function finishRecording() {
  const { mimeType } = recorder;
  return new Promise((resolve) => {
    recorder.onstop = () => resolve(new File(recorded, "voice", { type: mimeType }));
    stopRecording();
  });
}

function stopRecording() {
  clearInterval(clock);
  recorder?.stop();
  recorder?.stream.getTracks().forEach((track) => track.stop());
  recorder = null;
}
