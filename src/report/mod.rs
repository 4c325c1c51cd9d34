//! What people and programs read: aligned tables and JSON.

mod json;
mod table;
mod theorems;

pub use json::{bits, certificate_json, closed_form_json, gap_text, layers_json, number, objective_digits};
pub use table::{Table, certificate_rows, closed_form_rows, numerical_rows, problem_rows};
pub use theorems::theorem_table;
