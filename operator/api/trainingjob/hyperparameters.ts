/** `spec.model.hyperparameters` as the trainer takes them: a dot leads into a section, and a number is a number. */
export type Hyperparameters = { [name: string]: string | number | boolean | Hyperparameters };

const NUMBER = /^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?$/;

/** @param flat as the schema lets it through: no key is both a value and a section */
export function hyperparameterTree(flat: Readonly<Record<string, string | number>> = {}): Hyperparameters {
  // Without a prototype: a key may be called `constructor`.
  const root = Object.create(null) as Hyperparameters;
  for (const [key, value] of Object.entries(flat)) {
    const names = key.split('.');
    const last = names.pop() ?? '';
    let section = root;
    for (const name of names) section = (section[name] ??= Object.create(null)) as Hyperparameters;
    section[last] = typeof value === 'number' ? value : valueOf(value);
  }
  return root;
}

/** Numbers and booleans are texts in the spec, because a fraction has no other form there. */
function valueOf(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  return NUMBER.test(text) && Number.isFinite(Number(text)) ? Number(text) : text;
}
