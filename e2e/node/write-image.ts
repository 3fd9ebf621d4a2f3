/** `node e2e/node/write-image.ts operator|web FILE`: an image of this work tree, for `foresail cluster load FILE`. */
import { OPERATOR_IMAGE, WEB_IMAGE, writeOperatorImage, writeWebImage } from './images.ts';

const IMAGES = {
  operator: { name: `${OPERATOR_IMAGE.repository}:${OPERATOR_IMAGE.tag}`, write: writeOperatorImage },
  web: { name: WEB_IMAGE, write: writeWebImage },
};

const [kind = '', file] = process.argv.slice(2);
const image = Object.hasOwn(IMAGES, kind) ? IMAGES[kind as keyof typeof IMAGES] : undefined;
if (image === undefined || file === undefined) {
  process.stderr.write(`usage: write-image.ts ${Object.keys(IMAGES).join('|')} FILE\n`);
  process.exitCode = 2;
} else {
  await image.write(file);
  process.stdout.write(`${file}: ${image.name}\n`);
}
