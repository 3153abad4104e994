// Runs on the audio thread: converts the input to 16 kHz, mono, 16 bits, in pieces of 50 ms, each with its level.

export const SAMPLE_RATE = 16000;
// 50 ms: a delay that is not noticed, and little overhead for each frame.
const PIECE_SAMPLES = 800;

// A windowed sinc, interpolated between stored phases. 16 zero crossings on each side attenuate what is above half the new rate by 60 dB.
const ZERO_CROSSINGS = 16;
const PHASES = 128;
// Share of half the new rate that passes unattenuated; the rest is the slope of the filter.
const PASSBAND = 0.9;

/** Resamples a stream piece by piece. */
export class Resampler {
  constructor(fromHz, toHz) {
    this.step = fromHz / toHz;
    const cutoff = Math.min(1, toHz / fromHz) * PASSBAND;
    this.half = Math.ceil(ZERO_CROSSINGS / cutoff);
    this.kernel = kernelOf(cutoff, this.half);
    this.history = new Float32Array(this.half); // starts with silence
    this.at = this.half; // position of the next output sample in `history`
  }

  /** Add samples; return the output samples that they complete. */
  push(samples) {
    const input = new Float32Array(this.history.length + samples.length);
    input.set(this.history);
    input.set(samples, this.history.length);
    const output = [];
    for (; this.at + this.half < input.length; this.at += this.step) {
      output.push(this.sampleAt(input, this.at));
    }
    const first = Math.min(input.length, Math.max(0, Math.floor(this.at) - this.half));
    this.history = input.slice(first);
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
    const audio = pcm16(this.piece).buffer;
    this.port.postMessage({ audio, level }, [audio]);
    this.filled = 0;
  }
}

registerProcessor("microphone", Microphone);
