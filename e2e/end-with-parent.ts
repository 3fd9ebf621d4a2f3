/**
 * Imported into a program that a test starts (`node --import`): it ends when its stdin closes, which the kernel sees
 * to even where the test was killed and could stop nothing.
 */
import { Socket } from 'node:net';

const { stdin } = process;
stdin.resume().on('close', () => process.kill(process.pid, 'SIGKILL'));
// Alone it is no reason to go on.
if (stdin instanceof Socket) stdin.unref();
