// The microphone as a stream of pieces. It stays open for a while after each use, since opening it would cut off the next first word.

// The pause between two utterances of an order is shorter; after it the recording indicator of the browser should disappear.
const IDLE_S = 30;
// On a touch screen an AudioContext starts only after the finger is lifted.
const RESUME_MS = 400;

export class Microphone {
  constructor(onPiece, onLost) {
    this.onPiece = onPiece; // ({audio: ArrayBuffer of pcm_s16le at 16 kHz, level: 0..1})
    this.onLost = onLost; // unplugged, or the permission was withdrawn
    this.stream = null;
    this.context = null;
    this.idle = 0;
  }

  /** Open the microphone, or keep it open. Throws the errors of getUserMedia; NotSupportedError where the page may not request it. */
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
    try {
      await context.audioWorklet.addModule(new URL("audio_worklet.js", import.meta.url));
    } catch (error) {
      stream.getTracks().forEach((track) => track.stop());
      context.close();
      throw error;
    }
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

  /** Close the microphone after IDLE_S. */
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
