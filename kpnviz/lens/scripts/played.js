// What plays by itself: frames one after the other in place of the large picture, and the sum, frame by frame.

import { clamp } from "./layout.js";
import { Viewed } from "./viewed.js";

const ROLL_MS = 350; // a frame, while frames are played: not more than three changes a second (WCAG 2.3.1)
const PLAY_MS = 450; // a frame, while the sum is played; fewer where frames are many

export class Played extends Viewed {
  /**
   * How many frames the sum has.
   * @param {number} count
   */
  sumTo(count) {
    this.summed = clamp(count, 0, this.frames);
    this.changed("cursor");
  }

  /**
   * A frame more or less.
   * @param {number} by
   */
  stepSum(by) {
    this.stopPlaying();
    this.sumTo((this.summed ?? this.frames) + by);
  }

  play() {
    if (this.player) return this.stopPlaying();
    this.sumTo(0);
    this.player = setInterval(
      () => {
        this.sumTo((this.summed ?? 0) + 1);
        if (this.summed === this.frames) this.stopPlaying();
      },
      Math.min(PLAY_MS, (12 * PLAY_MS) / this.frames),
    );
    this.changed("pictures");
  }

  stopPlaying() {
    clearInterval(this.player);
    this.player = undefined;
    this.changed("pictures");
  }

  /**
   * Show one frame after the other in place of the large picture, again and again, or stop. Where motion is not wanted,
   * the next frame; after the last one, the picture.
   * @param {boolean} still
   */
  roll(still) {
    if (this.roller) return this.stopRolling();
    if (!still) this.roller = setInterval(() => this.rollOn(0), ROLL_MS);
    this.rollOn(still ? null : 0);
  }

  /** @param {number | null} after  what follows the last frame */
  rollOn(after) {
    const { rolling, frames } = this;
    const next = rolling === null ? 0 : rolling + 1;
    this.rolling = next < frames ? next : after;
    this.changed("pictures", "cursor");
  }

  stopRolling() {
    clearInterval(this.roller);
    this.roller = undefined;
    if (this.rolling === null) return;
    this.rolling = null;
    this.changed("pictures", "cursor");
  }
}
