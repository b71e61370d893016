/** The one of `words` that `word` is most likely a misspelling of; undefined when none is near. */
export function closest(word: string, words: readonly string[]): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of words) {
    // The last word counts too: `port` is near `respPort`.
    const lastWord = candidate.match(/[A-Z][a-z]+$/)?.[0].toLowerCase() ?? '';
    const distance = Math.min(
      editDistance(wanted, candidate.toLowerCase()),
      lastWord.length >= 4 ? editDistance(wanted, lastWord) + 0.5 : Number.POSITIVE_INFINITY,
    );
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return (
    best ??
    (wanted.length >= 3 ? words.find((candidate) => candidate.toLowerCase().includes(wanted)) : undefined)
  );
}

/** Insertions, removals, replacements and swaps of neighbours that make `b` of `a` (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j], before[j - 2] + 1);
    }
    [before, previous] = [previous, row];
  }
  return previous[b.length];
}
