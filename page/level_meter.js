// The level of the microphone, as moving bars.

import { onNextFrame } from "./elements.js";

const BARS = 64;

export const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

export class LevelMeter {
  constructor(canvas) {
    this.canvas = canvas;
    this.levels = new Float32Array(BARS);
    this.draw = this.draw.bind(this);
  }

  /** Show a level, 0..1, as the newest. */
  add(level) {
    this.levels.copyWithin(0, 1);
    this.levels[BARS - 1] = level;
    onNextFrame(this.draw);
  }

  clear() {
    this.levels.fill(0);
  }

  draw() {
    const { canvas, levels } = this;
    const scale = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = getComputedStyle(canvas).color;
    // Logarithmic, as loudness is perceived: -50 dB is silence, -8 dB a voice close by.
    const heights = Array.from(levels, (level) => Math.min(1, Math.max(0, (20 * Math.log10(level + 1e-6) + 50) / 42)));
    if (reducedMotion.matches) {
      pen.fillRect(0, height / 2 - 3, width * heights.at(-1), 6);
      return;
    }
    const pitch = width / heights.length;
    heights.forEach((value, index) => {
      const tall = Math.max(3, value * height);
      pen.beginPath();
      pen.roundRect(index * pitch + pitch * 0.2, (height - tall) / 2, pitch * 0.6, tall, pitch * 0.3);
      pen.fill();
    });
  }
}
