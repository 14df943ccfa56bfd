/** Keys in messages. */

/** A key for people: as text where it is some, else in hexadecimal digits. */
export function keyText(key: Uint8Array): string {
  const text = Buffer.from(key).toString('latin1');
  const isText = /^[\x20-\x7e]{1,60}$/.test(text);
  return isText
    ? JSON.stringify(text)
    : `0x${Buffer.from(key.subarray(0, 30)).toString('hex')}${key.length > 30 ? '...' : ''}`;
}

/** A stretch of keys in words: behind the first, up to the second; undefined for the beginning or the end. */
export function stretchText(after: Uint8Array | undefined, upTo: Uint8Array | undefined): string {
  const words = [];
  if (after !== undefined) words.push(`behind ${keyText(after)}`);
  if (upTo !== undefined) words.push(`up to ${keyText(upTo)}`);
  return words.join(' ');
}
