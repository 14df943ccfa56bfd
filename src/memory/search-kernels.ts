/**
 * The kernels that search text, by the line: for literals that a finder holds (drawn in `layout.ts`), and for
 * line ends. A line ends with a line feed or at the end of the text.
 *
 * What is said in `kernels.ts` about implementations, addresses and numbers holds here too.
 *
 * @module
 */

export interface SearchKernels {
  /**
   * Finds the lines that have a literal.
   *
   * @param finder its literals are not empty and have no line feed
   * @param address of the text, which begins with a line
   * @param spans room for `maxLines` + 1 spans: the lines, without their line feeds. Behind them goes one more,
   *   with the address of the first byte that was not searched
   * @returns how many lines were found
   */
  findLines(finder: number, address: number, length: number, spans: number, maxLines: number): number;

  /** Counts the lines that `findLines` would find. */
  countFound(finder: number, address: number, length: number): number;

  /** Counts line feeds. */
  countFeeds(address: number, length: number): number;

  /**
   * Finds a line feed from the end.
   *
   * @param number which one: 1 is the last
   * @returns its address, or -1 where there are fewer
   */
  findFeedBack(address: number, length: number, number: number): number;

  /** What kinds of bytes a text has: `TEXT_NOT_ASCII`, `TEXT_HAS_RETURN`, or both, added up. */
  examineText(address: number, length: number): number;
}
