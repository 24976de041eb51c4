/** What goes wrong in a simulation beside the disk's own errors, and which failures that explains. */

import { stepMsMaxOf } from '../../core/broker/broker-clock.ts';
import { FolderLostError } from '../../core/broker/folder/held-folder.ts';
import { LogDamagedError } from '../../core/broker/log/contract.ts';
import type { Life } from './life.ts';
import { quietPhase } from './quiet.ts';
import type { Reached } from './reach.ts';
import { LostEnd } from './simulated/lost-end.ts';
import type { Medium, MediumFile } from './simulated/medium.ts';
import { forNow, noDiskFaults } from './simulated/sim-disk.ts';
import type { Fault } from './swarm.ts';
import type { World } from './world.ts';

interface Rot {
  readonly file: MediumFile;
  readonly byte: number;
  readonly mask: number;
}

export class Faults {
  readonly #world: World;
  #rot: Rot | null = null;
  rots = 0;
  /** A file that was healed may have been read before: until the life ends, damage in it is no bug. */
  #healed: MediumFile | null = null;
  readonly #lostEnd: LostEnd;
  #endIsRefused: Reached = 'last segment removed and refused';
  count = 0;

  constructor(world: World) {
    this.#world = world;
    this.#lostEnd = new LostEnd(world.medium);
  }

  /** Some bit of the disk is wrong: what lies there cannot be read. */
  get hasRot(): boolean {
    return this.#rot !== null;
  }

  async step(): Promise<void> {
    const { dice, swarm } = this.#world;
    const fault = dice.weighted({ ...swarm.faults, none: 0.06 });
    if (fault === null || fault === 'none') return;
    this.count++;
    await this.#happen[fault]();
  }

  readonly #happen: Readonly<Record<Fault, () => Promise<void> | void>> = {
    kill: () => this.#kill(),
    powerCut: () => this.#powerCut(),
    cut: () => this.#cut(),
    stall: () => this.#stall(),
    jump: () => this.#jump(),
    pause: () => this.#pause(),
    quiet: () => this.#quiet(),
    fullDisk: () => this.#fill(),
    swap: () => this.#swap(),
    rot: () => this.#decay(),
    exhaust: () => this.#exhaust(),
    lostEnd: () => this.#loseEnd(),
    stop: () => {
      if (this.#world.isServing) this.#world.life?.stop();
    },
  };

  async #quiet(): Promise<void> {
    const { life } = this.#world;
    // Nothing rests that waits for a descriptor.
    this.#world.medium.exhausted = null;
    if (life?.phase === 'serving') await quietPhase(this.#world, life);
  }

  /** Nothing goes wrong from here on. */
  stop(): void {
    const { medium, life, net } = this.#world;
    medium.foreignBytes = 0;
    medium.exhausted = null;
    // A start that is under way may have read it already.
    if (this.#lostEnd.isTaken) this.#world.endLife();
    this.#lostEnd.restore();
    this.#heal();
    if (life !== null) Object.assign(life.disk.faults, noDiskFaults);
    net.hurry();
  }

  /** The log is found damaged: only right when a bit was flipped. Then a backup is brought back. */
  damaged(error: LogDamagedError): void {
    if (this.#lostEnd.isTaken) {
      if (this.#rot === null) this.#world.reach.reach(this.#endIsRefused);
      this.#lostEnd.restore();
    } else if (this.#rot === null && !this.#wasHealed(error)) {
      this.#world.violate(`a start was refused: ${error.message}`);
    } else this.#world.reach.reach('bit rot refused at the start');
    this.#heal();
    this.#healed = null;
  }

  #wasHealed({ file }: LogDamagedError): boolean {
    return this.#healed !== null && this.#world.medium.names.get(file) === this.#healed;
  }

  /** Whether the broker had a reason to stop itself. */
  explains({ failure, hasServed }: Pick<Life, 'failure' | 'hasServed'>): boolean {
    if (failure === null) return true;
    // What it met first may tell of the folder as its cause.
    if ([failure, failure.cause].some((error) => error instanceof FolderLostError)) {
      return this.#wasSwapped();
    }
    if (hasServed && failure.message.includes(forNow)) return false;
    const isExplained =
      this.#rot !== null || (failure instanceof LogDamagedError && this.#wasHealed(failure));
    if (isExplained && /damaged|checksum/i.test(failure.message)) {
      this.#heal();
      this.#healed = null;
      return true;
    }
    return isSimulated(failure);
  }

  /** A broker came up: with the end of its log gone it must not. */
  started(): void {
    if (this.#lostEnd.isTaken) this.#world.violate('a log whose proven end is gone was served');
  }

  /** Somebody moves the folder away and puts another there: it comes back when the broker has left. */
  #swap(): void {
    const { medium, isServing } = this.#world;
    if (isServing) medium.isSwapped = true;
  }

  #wasSwapped(): boolean {
    const { medium, reach } = this.#world;
    reach.reach('folder swapped under the broker');
    return medium.isSwapped;
  }

  /** A process of somebody else takes the last descriptors or inodes, or gives them back. */
  #exhaust(): void {
    const { medium, dice } = this.#world;
    medium.exhausted =
      medium.exhausted === null ? dice.pick(['descriptors', 'inodes', 'reads'] as const) : null;
  }

  #loseEnd(): void {
    const { life, dice } = this.#world;
    const tail = life?.phase === 'serving' ? life.proven : null;
    if (tail === null) return;
    this.#world.endLife();
    const left = dice.chance(0.3) ? null : dice.below(tail.bytes);
    this.#lostEnd.take(tail, left);
    this.#endIsRefused =
      left === null
        ? 'last segment removed and refused'
        : 'last segment cut below its proven end and refused';
  }

  #kill(): void {
    const { life, reach } = this.#world;
    if (life === null) return;
    reach.reach(life.phase === 'serving' ? 'kill -9' : 'kill -9 during recovery');
    this.#world.endLife();
  }

  #powerCut(): void {
    const { life, reach, medium, dice } = this.#world;
    if (life === null) return;
    reach.reach(life.phase === 'serving' ? 'power cut' : 'power cut during recovery');
    this.#world.endLife();
    this.#world.keptClock = null;
    // It may lose the note of the end, which then proves nothing.
    this.#lostEnd.restore();
    if (medium.powerCut(dice).lostNames > 0) reach.reach('power cut lost a name');
  }

  #cut(): void {
    const { net, dice, reach } = this.#world;
    const open = [...net.wires.values()].filter(({ clientSide }) => clientSide === 'open');
    if (open.length === 0) return;
    net.cut(dice.pick(open));
    reach.reach('connection cut');
  }

  #stall(): void {
    const { net, dice, clock, reach } = this.#world;
    const wires = [...net.wires.values()];
    if (wires.length === 0) return;
    dice.pick(wires).stalledUntilMs = clock.monotonicMs + dice.between(1, 3_000);
    reach.reach('connection stalled');
  }

  #jump(): void {
    const { clock, dice, reach } = this.#world;
    const ms = dice.pick([200, 3_600_000, 86_400_000, 10 * 365 * 86_400_000]);
    const forward = dice.chance(0.5);
    clock.jump(forward ? ms : -ms);
    reach.reach(forward ? 'wall clock set forward' : 'wall clock set back');
  }

  /** Nothing of the broker runs, however many leases and windows would be over by then. */
  #pause(): void {
    const { clock, dice, reach, life, swarm } = this.#world;
    if (life === null) return;
    const ms = dice.pick([swarm.leaseMs, 10_000, 8_000_000]) + dice.below(20_000);
    if (dice.chance(0.5)) {
      clock.pause(ms, stepMsMaxOf(swarm.leaseMs));
      reach.reach('broker paused');
    } else {
      clock.sleep(ms + 10_000);
      reach.reach('machine slept');
    }
  }

  /** Somebody else fills the disk, up to the last bytes or nearly so, or frees it again. */
  #fill(): void {
    const { medium, dice } = this.#world;
    const isFull = medium.foreignBytes > 0;
    const left = dice.pick([0, 20_000, 60_000, 100_000]) + dice.below(10_000);
    medium.foreignBytes = isFull ? 0 : Math.max(0, medium.freeBytes - left);
  }

  /** One bit of a file changes for itself. */
  #decay(): void {
    if (this.#rot !== null) return;
    const { medium, dice } = this.#world;
    const files = sealedSegments(medium);
    if (files.length === 0) return;
    const file = dice.pick(files);
    this.#healed = null;
    const rot = { file, byte: dice.below(file.cache.length), mask: 1 << dice.below(8) };
    this.#rot = rot;
    this.rots++;
    file.flip(rot.byte, rot.mask);
  }

  #heal(): void {
    if (this.#rot === null) return;
    const { file, byte, mask } = this.#rot;
    file.flip(byte, mask);
    this.#rot = null;
    this.#healed = file;
  }
}

/** Segments before the last: nobody writes them any more. */
function sealedSegments(medium: Medium): MediumFile[] {
  const names = [...medium.names.keys()].filter((path) => path.endsWith('.log')).sort();
  return names.slice(0, -1).flatMap((path) => {
    const file = medium.names.get(path);
    return file === undefined || file.cache.length === 0 ? [] : [file];
  });
}

/** An error that the disk was told to give, or what came of it. */
function isSimulated(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return 'code' in error || error.message.includes('simulated') || isSimulated(error.cause);
}
