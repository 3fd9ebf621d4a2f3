/**
 * Colours by what they mean. A drawing carries the light colours as attributes, so that it stands alone and can be turned
 * into a PNG, and classes beside them, by which the page around it recolours it on a dark screen.
 */

export const PALETTE = {
  paper: { light: '#ffffff', dark: '#12181f' },
  ink: { light: '#1f2933', dark: '#e4e9ee' },
  muted: { light: '#616e7c', dark: '#9aa7b4' },
  grid: { light: '#e4e7eb', dark: '#2b3640' },
  load: { light: '#495057', dark: '#ced4da' },
  median: { light: '#1971c2', dark: '#74c0fc' },
  band: { light: '#a5d8ff', dark: '#1c4f7c' },
  demanded: { light: '#dee2e6', dark: '#343f4a' },
  ours: { light: '#0b7285', dark: '#3bc9db' },
  hpa: { light: '#e8590c', dark: '#ff922b' },
  better: { light: '#2b8a3e', dark: '#69db7c' },
  worse: { light: '#c92a2a', dark: '#ff8787' },
} as const;

export type Role = keyof typeof PALETTE;

export function fill(role: Role): string {
  return `class="fill-${role}" fill="${PALETTE[role].light}"`;
}

export function stroke(role: Role, width = 1): string {
  return `class="stroke-${role}" stroke="${PALETTE[role].light}" stroke-width="${width}" fill="none"`;
}

/** Rules of the page: variables for its own elements, classes for the drawings in it. */
export function colourRules(): string {
  const roles = Object.keys(PALETTE) as Role[];
  const variables = (scheme: 'light' | 'dark') =>
    roles.map((role) => `--${role}:${PALETTE[role][scheme]}`).join(';');
  const classes = roles.map(
    (role) => `.fill-${role}{fill:var(--${role})}.stroke-${role}{stroke:var(--${role})}`,
  );
  return `:root{color-scheme:light dark;${variables('light')}}
@media(prefers-color-scheme:dark){:root{${variables('dark')}}}
${classes.join('')}`;
}
