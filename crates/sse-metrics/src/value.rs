//! The value of a sample.

use std::fmt;

/// The value of a sample. Counts keep all their digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(ValueKind);

#[derive(Debug, Clone, Copy, PartialEq)]
enum ValueKind {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(ValueKind::Whole(number))
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Self {
        u64::from(number).into()
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        // No platform has a wider `usize`.
        u64::try_from(number).unwrap_or(u64::MAX).into()
    }
}

impl From<bool> for Number {
    fn from(is_so: bool) -> Self {
        u64::from(is_so).into()
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self(ValueKind::Real(number))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ValueKind::Whole(number) => number.fmt(f),
            ValueKind::Real(number) if number.is_nan() => f.write_str("NaN"),
            ValueKind::Real(f64::INFINITY) => f.write_str("+Inf"),
            ValueKind::Real(f64::NEG_INFINITY) => f.write_str("-Inf"),
            ValueKind::Real(number) => number.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_parse_in_prometheus() {
        for (number, text) in [
            (Number::from(u64::MAX), "18446744073709551615"),
            (Number::from(0_usize), "0"),
            (Number::from(true), "1"),
            (Number::from(0.25), "0.25"),
            (Number::from(-1.5), "-1.5"),
            (Number::from(1e21), "1000000000000000000000"),
            (Number::from(f64::INFINITY), "+Inf"),
            (Number::from(f64::NEG_INFINITY), "-Inf"),
            (Number::from(f64::NAN), "NaN"),
        ] {
            assert_eq!(number.to_string(), text);
        }
    }
}
