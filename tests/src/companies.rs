//! A directory of any size.

use std::ops::Range;

use serde_json::json;

use crate::World;

/// So many lines are imported at once.
const PORTION: usize = 5_000;

/// Imports companies of one country.
///
/// # Panics
///
/// If a line is not taken.
pub async fn fill(world: &World, country: &str, range: Range<u32>) {
    let mut lines = companies(country, range);
    loop {
        let portion: Vec<String> = lines.by_ref().take(PORTION).collect();
        if portion.is_empty() {
            break;
        }
        let report = world.import(&portion.join("\n")).await;
        assert_eq!(report["bad"], json!([]), "{report}");
    }
}

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
