//! local
fn main(){}
