//! `Date` values: RFC 9110 §5.6.7.

/// The IMF-fixdate of a moment in seconds since 1970, good for the years 1970 to 9999.
pub fn http_date(unix_seconds: u64) -> [u8; 29] {
    const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];
    const MONTHS: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let days = unix_seconds / 86_400;
    let second = unix_seconds % 86_400;
    let (year, month, day) = civil(days);
    let mut date = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let mut put = |at: usize, octets: &[u8]| {
        if let Some(place) = date.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
    };
    let name = |names: &[&'static [u8; 3]], index: u64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| names.get(index).copied())
            .unwrap_or(b"???")
    };
    put(0, name(&DAYS, days % 7));
    put(5, &two_digits(day));
    put(8, name(&MONTHS, month - 1));
    put(12, &two_digits(year / 100));
    put(14, &two_digits(year));
    put(17, &two_digits(second / 3600));
    put(20, &two_digits(second / 60 % 60));
    put(23, &two_digits(second % 60));
    date
}

fn two_digits(value: u64) -> [u8; 2] {
    let digit = |value: u64| b'0' + u8::try_from(value % 10).unwrap_or(0);
    [digit(value / 10), digit(value)]
}

/// Year, month (1 to 12) and day (1 to 31) of a day counted from 1970-01-01: years are taken to
/// begin in March, so that the leap day is their last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_are_those_of_the_rfc_and_of_leap_years() {
        let cases: [(u64, &[u8; 29]); 4] = [
            (784_111_777, b"Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, b"Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_399, b"Sun, 28 Feb 2100 23:59:59 GMT"),
        ];
        for (seconds, date) in cases {
            assert_eq!(&http_date(seconds), date);
        }
    }
}
