// Python, as the other side of what is shared with it.
import { spawnSync } from 'node:child_process';

/** Whether there is a Python whose lists in shared memory are laid out as today. */
export const hasPython: boolean =
  spawnSync('python3', ['-c', 'import multiprocessing.shared_memory, sys; sys.exit(sys.version_info < (3, 10))'])
    .status === 0;
