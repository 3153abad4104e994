// The microphone as a stream of pieces. It stays open a while after each use, so that the next first word is not lost to its start.

// Somebody who is ordering speaks again within this; after it the browser's recording sign should go out.
const IDLE_S = 30;
// On a touch screen the page may only make sound, or hear it, once a finger was lifted.
const RESUME_MS = 400;

export class Microphone {
  constructor(onPiece, onLost) {
    this.onPiece = onPiece; // ({sound: ArrayBuffer of pcm_s16le at 16 kHz, level: 0..1})
    this.onLost = onLost; // it was unplugged, or taken away
    this.stream = null;
    this.context = null;
    this.idle = 0;
  }

  /** Open it, or keep it open. Throws what getUserMedia throws; NotSupportedError where the page may not ask at all. */
  async open() {
    clearTimeout(this.idle);
    if (!navigator.mediaDevices || !window.AudioWorkletNode) {
      throw new DOMException("no microphone for this page", "NotSupportedError");
    }
    if (!this.stream) await this.start();
    if (this.context.state !== "running") {
      await Promise.race([this.context.resume(), new Promise((resolve) => setTimeout(resolve, RESUME_MS))]);
    }
    return this.context.state === "running";
  }

  async start() {
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
    const context = new AudioContext({ latencyHint: "interactive" });
    await context.audioWorklet.addModule(new URL("capture.js", import.meta.url));
    const node = new AudioWorkletNode(context, "microphone", { numberOfInputs: 1, numberOfOutputs: 0 });
    node.port.onmessage = ({ data }) => this.onPiece(data);
    context.createMediaStreamSource(stream).connect(node);
    for (const track of stream.getTracks()) {
      track.addEventListener("ended", () => {
        this.close();
        this.onLost();
      });
    }
    this.stream = stream;
    this.context = context;
  }

  /** Let it go, a little later. */
  release() {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.close(), IDLE_S * 1000);
  }

  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.context?.close();
    this.stream = null;
    this.context = null;
  }
}
