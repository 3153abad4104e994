// Runs on the audio thread: whatever the sound card gives becomes 16 kHz, mono, 16 bits, in pieces of 50 ms, each with its loudness.

export const SAMPLE_RATE = 16000;
// 50 ms: short enough that nobody waits for it, long enough that frames do not cost more than they carry.
const PIECE_SAMPLES = 800;

// A windowed sinc, interpolated between stored phases. 16 zero crossings a side keep what lies above half the new rate 60 dB down.
const ZERO_CROSSINGS = 16;
const PHASES = 128;
// Of half the new rate: what is kept whole. The rest is the filter's slope.
const PASSBAND = 0.9;

/** Changes the sample rate of a stream that comes in pieces. */
export class Resampler {
  constructor(fromHz, toHz) {
    this.step = fromHz / toHz;
    const cutoff = Math.min(1, toHz / fromHz) * PASSBAND;
    this.half = Math.ceil(ZERO_CROSSINGS / cutoff);
    this.kernel = kernelOf(cutoff, this.half);
    this.kept = new Float32Array(this.half); // silence before the beginning
    this.at = this.half; // where the next sample out lies, counted in samples of `kept`
  }

  /** Take a piece; return what it completes. */
  push(samples) {
    const input = new Float32Array(this.kept.length + samples.length);
    input.set(this.kept);
    input.set(samples, this.kept.length);
    const output = [];
    for (; this.at + this.half < input.length; this.at += this.step) {
      output.push(this.sampleAt(input, this.at));
    }
    const first = Math.min(input.length, Math.max(0, Math.floor(this.at) - this.half));
    this.kept = input.slice(first);
    this.at -= first;
    return Float32Array.from(output);
  }

  sampleAt(input, at) {
    const first = Math.ceil(at - this.half);
    let sum = 0;
    for (let index = first; index <= at + this.half; index += 1) {
      const place = (index - at + this.half) * PHASES;
      const phase = Math.floor(place);
      const share = place - phase;
      sum += input[index] * (this.kernel[phase] * (1 - share) + this.kernel[phase + 1] * share);
    }
    return sum;
  }
}

function kernelOf(cutoff, half) {
  const kernel = new Float32Array(2 * half * PHASES + 2);
  for (let place = 0; place < kernel.length; place += 1) {
    const t = place / PHASES - half;
    const x = Math.PI * cutoff * t;
    const sinc = x === 0 ? 1 : Math.sin(x) / x;
    const blackman = Math.abs(t) > half ? 0 : 0.42 + 0.5 * Math.cos((Math.PI * t) / half) + 0.08 * Math.cos((2 * Math.PI * t) / half);
    kernel[place] = cutoff * sinc * blackman;
  }
  return kernel;
}

export function mono(channels) {
  if (channels.length === 1) return channels[0];
  return channels[0].map((_, index) => channels.reduce((sum, channel) => sum + channel[index], 0) / channels.length);
}

export function pcm16(samples) {
  return Int16Array.from(samples, (sample) => Math.round(Math.max(-1, Math.min(1, sample)) * 32767));
}

class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = sampleRate === SAMPLE_RATE ? null : new Resampler(sampleRate, SAMPLE_RATE);
    this.piece = new Float32Array(PIECE_SAMPLES);
    this.filled = 0;
  }

  process([channels]) {
    if (channels.length === 0) return true; // nothing is connected yet
    const samples = mono(channels);
    for (const sample of this.resampler ? this.resampler.push(samples) : samples) {
      this.piece[this.filled] = sample;
      this.filled += 1;
      if (this.filled === PIECE_SAMPLES) this.post();
    }
    return true;
  }

  post() {
    const level = Math.sqrt(this.piece.reduce((sum, sample) => sum + sample * sample, 0) / PIECE_SAMPLES);
    const sound = pcm16(this.piece).buffer;
    this.port.postMessage({ sound, level }, [sound]);
    this.filled = 0;
  }
}

registerProcessor("microphone", Microphone);
