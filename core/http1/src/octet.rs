//! Which octets may stand where: tables, as they are asked for each octet of a name.

/// Whether an octet may stand in a token (RFC 9110 §5.6.2).
pub(crate) fn is_token(octet: u8) -> bool {
    static TOKEN: [bool; 256] = letters_digits_and(b"!#$%&'*+-.^_`|~");
    TOKEN[usize::from(octet)]
}

/// Whether an octet may stand in the name of a host (RFC 3986 §3.2.2), but for the percent sign, and
/// for the comma: some servers split a list there.
pub(crate) fn is_host(octet: u8) -> bool {
    static HOST: [bool; 256] = letters_digits_and(b"-._~!$&'()*+;=");
    HOST[usize::from(octet)]
}

const fn letters_digits_and(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut octet = 0;
    while octet < 128_u8 {
        table[octet as usize] = octet.is_ascii_alphanumeric();
        octet += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}
