// Python, as the other side of what is shared with it.
import { spawnSync } from 'node:child_process';

/** Whether there is a Python that has shared memory (3.8). */
export const hasPython: boolean = spawnSync('python3', ['-c', 'import multiprocessing.shared_memory']).status === 0;
