//! Randomness. The only module that draws it.

/// 128 random bits of the operating system, enough for an id that nobody else will ever draw.
///
/// # Panics
///
/// If the operating system has no source of randomness. No id could be made, so no request could be served.
pub fn entropy() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has a source of randomness");
    u128::from_ne_bytes(bytes)
}
