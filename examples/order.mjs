// Order while speaking, with fetch and WebSocket, which every browser and Node 22 have.
// node examples/order.mjs [recording.wav [language]]        (Node 20: node --experimental-websocket ...)
// In a page the audio comes from an AudioWorklet; see page/audio_worklet.js and page/microphone.js.

import { readFile } from "node:fs/promises";

const { VOICE_URL = "http://127.0.0.1:8000", VOICE_ID = "demo", VOICE_KEY = "demo-secret" } = process.env;
const FRAME_BYTES = 3200; // 0.1 s of 16 kHz, 16 bits, one channel

/** Send a request; return the data of the reply. */
async function request(method, path, body, token) {
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

/** Stream a recording; return the final order. The token goes as a subprotocol, since a browser cannot set headers. */
function order(audio, lines, token) {
  const socket = new WebSocket(`${VOICE_URL.replace("http", "ws")}/api/v1/voice/live?menu=quan-nha&language=${language}`, ["bearer", token]);
  return new Promise((resolve, reject) => {
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: "lines", lines })); // the order so far
      for (let at = 0; at < audio.length; at += FRAME_BYTES) socket.send(audio.subarray(at, at + FRAME_BYTES));
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

const { access_token: token } = await request("POST", "/auth/token", { secret_id: VOICE_ID, secret_key: VOICE_KEY });
const recording = await readFile(path);
const first = await request("POST", "/voice/order", { menu: "quan-nha", text: "một latte ít đường" }, token);
const { lines } = await order(recording.subarray(44), first.lines, token); // without the header of the WAV file
for (const option of lines.flatMap(({ options }) => options)) option.choice ??= option.alternatives[0]; // a question asks which; the first one is taken here
const stored = await request("PUT", `/voice/order/${crypto.randomUUID()}`, { menu: "quan-nha", lines }, token);
console.log(`Stored: ${stored.order_id}, ${stored.total} ${stored.currency}`);
