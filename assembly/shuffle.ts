/**
 * `fromN`: the 16 bytes from byte N on of two vectors that follow one another. WebAssembly wants the lanes as
 * literals, so there is one function for each N; engines make a single instruction of it (palignr, ext).
 */

// @ts-ignore: decorator
@inline
export function from1(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
}

// @ts-ignore: decorator
@inline
export function from2(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
}

// @ts-ignore: decorator
@inline
export function from3(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18);
}

// @ts-ignore: decorator
@inline
export function from4(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
}

// @ts-ignore: decorator
@inline
export function from5(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20);
}

// @ts-ignore: decorator
@inline
export function from6(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21);
}

// @ts-ignore: decorator
@inline
export function from8(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
}

// @ts-ignore: decorator
@inline
export function from10(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25);
}

// @ts-ignore: decorator
@inline
export function from11(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26);
}

// @ts-ignore: decorator
@inline
export function from13(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28);
}

// @ts-ignore: decorator
@inline
export function from14(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
}

// @ts-ignore: decorator
@inline
export function from15(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
}
