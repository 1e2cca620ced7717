//! A directory of any size.

use std::ops::Range;

use serde_json::json;

/// Lines for the import: companies of one country; a third of the names come again and again, with other cities.
pub fn companies(country: &str, range: Range<u32>) -> impl Iterator<Item = String> {
    const FIRST: [&str; 8] = [
        "Alpine",
        "First",
        "National",
        "Général",
        "The Alder",
        "Blue",
        "Wide",
        "Müller",
    ];
    const SECOND: [&str; 8] = [
        "Bank",
        "National Bank",
        "& Sons",
        "Ski House",
        "Freight",
        "Bikes",
        "Alpine",
        "Press",
    ];
    const FORM: [&str; 4] = ["Inc.", "Corp.", "LLC", ""];
    let country = country.to_owned();
    range.map(move |n| {
        let of = |words: &[&'static str], step: u32| words[(n / step) as usize % words.len()];
        let number = if n % 3 == 0 { String::new() } else { format!(" {n}") };
        let name = format!("{}{number} {} {}", of(&FIRST, 1), of(&SECOND, 8), of(&FORM, 64));
        let address = json!({"city": format!("City {n}")});
        json!({"kind": "customer", "name": name.trim_end(), "country": country, "address": address}).to_string()
    })
}
