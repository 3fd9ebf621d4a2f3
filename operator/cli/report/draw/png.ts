/**
 * A drawing as PNG, for places that show no SVG. The renderer and its fonts are 16 MB of native code and data that the
 * operator has no use for, so they are tools of the repository and not in the image: there, --html is enough.
 */
import { createRequire } from 'node:module';
import { ForesailError } from '../../../errors.ts';

/** @param width of the picture in pixels. */
export async function renderPng(svg: string, width: number): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js').catch((cause: unknown) => {
    throw new ForesailError(
      'PNG_UNAVAILABLE',
      'terminal',
      'a PNG needs the package @resvg/resvg-js, which the image does not bring; write --html instead',
      { cause },
    );
  });
  // The font travels with the project: a machine without fonts would draw no letter.
  const fonts = createRequire(import.meta.url)
    .resolve('dejavu-fonts-ttf/package.json')
    .replace('package.json', 'ttf/');
  const resvg = new Resvg(svg, {
    fitTo: { mode: 'width', value: width },
    font: {
      fontFiles: [`${fonts}DejaVuSans.ttf`, `${fonts}DejaVuSans-Bold.ttf`],
      loadSystemFonts: false,
      defaultFontFamily: 'DejaVu Sans',
    },
  });
  return resvg.render().asPng();
}
