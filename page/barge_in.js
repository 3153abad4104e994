// Detects by level that the customer speaks over the shop's voice.
//
// Echo cancellation alone does not suffice: most browsers play speech synthesis outside of the audio that they cancel. Its echo is
// therefore measured, and the customer has to be louder.

// Of the echo's level, which moves between pieces of 50 ms by less than this.
const ECHO_FACTOR = 2.5;
// A voice at arm's length has 0.05 and more with automatic gain.
const MIN_LEVEL = 0.03;
// The first pieces only measure: a voice does not begin at its full level.
const MEASURING_PIECES = 8;
// The echo follows a louder piece at once and forgets it by half in two seconds.
const DECAY = 0.983;
// 200 ms: longer than a cough or a cup put down.
const LOUD_PIECES = 4;

export class BargeIn {
  constructor() {
    this.reset();
  }

  /** Begin with another sentence. */
  reset() {
    this.echo = 0;
    this.pieces = 0;
    this.loud = 0;
  }

  /** Add the level of a piece, 0..1; return true if the customer speaks. */
  add(level) {
    this.pieces += 1;
    const isLoud = this.pieces > MEASURING_PIECES && level > Math.max(MIN_LEVEL, ECHO_FACTOR * this.echo);
    if (isLoud) this.loud += 1;
    else {
      this.loud = Math.max(0, this.loud - 1);
      this.echo = Math.max(this.echo * DECAY, level);
    }
    return this.loud >= LOUD_PIECES;
  }
}
