/** Leakage: whether a series is among what a model's card names as its training data. */

/**
 * A source names a series when it is its name, or the beginning of it up to a separator (`nasa` names `nasa_http`). A
 * source called `…_rest` is what was left of a family, so it names the whole family: its siblings are not unseen.
 */
export function isNamedBy(series: string, sources: readonly string[]): boolean {
  return sources.some((source) => {
    const name = source.toLowerCase().replace(/_rest$/, '');
    const own = series.toLowerCase();
    return name !== '' && begins(own, name);
  });
}

function begins(whole: string, part: string): boolean {
  return (
    whole.startsWith(part) && (whole.length === part.length || /[^a-z0-9]/.test(whole[part.length] ?? ''))
  );
}
