//! Days of the calendar.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, de};

use crate::error::Error;

/// A day of the Gregorian calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    pub(crate) fn today() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut date = Self {
            year: 1970,
            month: 1,
            day: 1,
        };
        let mut days = since.as_secs() / 86_400;
        while days >= date.days_of_year() {
            days -= date.days_of_year();
            date.year += 1;
        }
        while days >= date.days_of_month() {
            days -= date.days_of_month();
            date.month += 1;
        }
        Self {
            day: days + 1,
            ..date
        }
    }

    /// Returns the number of days from another date to this one; zero if the other one is later.
    pub(crate) fn days_since(self, earlier: Self) -> u64 {
        self.number().saturating_sub(earlier.number())
    }

    /// Returns the number of days since the first day of the year 1.
    fn number(self) -> u64 {
        let years: u64 = (1..self.year)
            .map(|year| Self { year, ..self }.days_of_year())
            .sum();
        let months: u64 = (1..self.month)
            .map(|month| Self { month, ..self }.days_of_month())
            .sum();
        years + months + self.day - 1
    }

    fn days_of_year(self) -> u64 {
        if self.is_leap_year() { 366 } else { 365 }
    }

    fn days_of_month(self) -> u64 {
        match self.month {
            2 if self.is_leap_year() => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    fn is_leap_year(self) -> bool {
        self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400))
    }
}

impl FromStr for Date {
    type Err = Error;

    /// Reads `2026-11-30`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<_> = text.split('-').map(str::parse).collect();
        let [Ok(year), Ok(month), Ok(day)] = parts[..] else {
            return Err(no_date(text));
        };
        let date = Self { year, month, day };
        let exists = (1..=12).contains(&month) && (1..=date.days_of_month()).contains(&day);
        if exists && (1970..10_000).contains(&year) {
            Ok(date)
        } else {
            Err(no_date(text))
        }
    }
}

fn no_date(text: &str) -> Error {
    Error::new(format!("`{text}` is not a date such as 2026-11-30"))
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_counted_over_months_and_leap_years() {
        for (from, to, days) in [
            ("2026-11-30", "2026-12-01", 1),
            ("2024-02-28", "2024-03-01", 2),
            ("2026-02-28", "2026-03-01", 1),
            ("1970-01-01", "2026-11-30", 20_787),
            ("2027-01-01", "2026-01-01", 0),
        ] {
            assert_eq!(date(to).days_since(date(from)), days, "{from} to {to}");
        }
    }

    #[test]
    fn today_is_computed_from_the_clock() {
        let days = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
            / 86_400;
        assert!(Date::today().days_since(date("1970-01-01")).abs_diff(days) <= 1);
        assert_eq!(date(&Date::today().to_string()), Date::today());
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in [
            "",
            "2026",
            "2026-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-01-0",
            "2026-1-1-1",
            "a-b-c",
            "0-1-1",
        ] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }
}
