const ZEROS = new Uint8Array(1024 * 1024);

/** Octets of a write or a head. */
export const zeros = (size: number): Uint8Array<ArrayBuffer> => ZEROS.subarray(0, size);
