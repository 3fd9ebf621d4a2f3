/** What of an inference can be logged; apart, because the flags name it and must not load what sends it. */
export const PAYLOAD_KINDS = ['request', 'response'] as const;
export type PayloadKind = (typeof PAYLOAD_KINDS)[number];
