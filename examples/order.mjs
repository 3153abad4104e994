// Order while speaking, with what every browser and Node 22 have: fetch and WebSocket.
// node examples/order.mjs [recording.wav [language]]        (Node 20: node --experimental-websocket ...)
// In a page the sound comes from an AudioWorklet; page/capture.js and page/microphone.js show how.

import { readFile } from "node:fs/promises";

const { VOICE_URL = "http://127.0.0.1:8000", VOICE_ID = "demo", VOICE_KEY = "demo-secret" } = process.env;
const FRAME_BYTES = 3200; // 0.1 s of 16 kHz, 16 bits, one channel

/** Ask, and return the answer's data. */
async function ask(method, path, body, token) {
  const response = await fetch(`${VOICE_URL}/api/v1${path}`, {
    method,
    headers: { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });
  const { msg, data } = await response.json();
  if (!response.ok) throw new Error(`${data.error}: ${msg} (request ${data.request_id})`);
  return data;
}

const [path = new URL("order-vi.wav", import.meta.url), language = "vi"] = process.argv.slice(2);

/** Speak a recording; return the order at its end. A browser cannot set headers: the token goes as a subprotocol. */
function order(sound, lines, token) {
  const socket = new WebSocket(`${VOICE_URL.replace("http", "ws")}/api/v1/voice/live?menu=quan-nha&language=${language}`, ["bearer", token]);
  return new Promise((resolve, reject) => {
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: "lines", lines })); // the order so far
      for (let at = 0; at < sound.length; at += FRAME_BYTES) socket.send(sound.subarray(at, at + FRAME_BYTES));
      socket.send(JSON.stringify({ type: "end" }));
    };
    let last = null;
    socket.onmessage = ({ data: frame }) => {
      const { msg, data } = JSON.parse(frame);
      if (data.type === "error") reject(new Error(`${data.error}: ${msg}`));
      if (data.type === "partial") console.log(`${data.text.slice(0, data.stable)}[${data.text.slice(data.stable)}] ${data.total}`);
      if (data.type === "final") {
        last = data;
        console.log(`${data.text}: ${data.lines.map(({ quantity, name }) => `${quantity} x ${name}`).join(", ")}, ${data.total} ${data.currency}`);
        socket.close();
      }
    };
    socket.onclose = ({ code, reason }) => (last ? resolve(last) : reject(new Error(`The connection closed: ${code} ${reason}`)));
  });
}

const { access_token: token } = await ask("POST", "/auth/token", { secret_id: VOICE_ID, secret_key: VOICE_KEY });
const recording = await readFile(path);
const first = await ask("POST", "/voice/order", { menu: "quan-nha", text: "một latte ít đường" }, token);
const { lines } = await order(recording.subarray(44), first.lines, token); // behind the header of a WAV file
for (const option of lines.flatMap(({ options }) => options)) option.choice ??= option.alternatives[0]; // what is to be asked
const stored = await ask("PUT", `/voice/order/${crypto.randomUUID()}`, { menu: "quan-nha", lines }, token);
console.log(`Stored: ${stored.order_id}, ${stored.total} ${stored.currency}`);
