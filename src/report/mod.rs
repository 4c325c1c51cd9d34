//! What people and programs read: aligned tables and JSON.

mod collapse;
pub mod html;
mod json;
mod kernels;
mod metrics;
mod run;
mod sweep;
mod table;
mod theorems;

pub use collapse::{Epoch, PICTURE_SIDE, SeriesKind, collapse_page, drawn_entries};
pub use json::{bits, certificate_json, closed_form_json, gap_text, layers_json, number, objective_digits};
pub use kernels::{kernel_json, kernel_page, kernel_table};
pub use metrics::{metrics_csv, metrics_json, metrics_rows, series_table};
pub use run::solve_page;
pub use sweep::{sweep_json, sweep_page, sweep_rows};
pub use table::{Table, certificate_rows, closed_form_rows, numerical_rows, problem_rows};
pub use theorems::{theorem_page, theorem_table};
